//! Each value that a key had, and the event that made it: by the state's history where its commits were of single events,
//! else by folding what lies between event by event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Waiting;
use super::fold::feed;
use crate::engine::portion::{LeftOut, Portion};
use crate::engine::quarantine::Quarantine;
use crate::engine::{Deployment, Engine, Error, Sizing};
use crate::event::{Digest, Filter, Sequence, Timestamp};
use crate::log::Query;
use crate::plugin::StateEncoding;
use crate::state::{KeyHistory, Overlay};

/// Events that are folded one by one for one answer: a second or two with a Rust plugin.
const EVENTS_MAX: u64 = 100_000;

/// A value of a key, and the event behind which it had that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub sequence: Sequence,
    pub recorded_at: Timestamp,
    pub stream: String,
    pub event_type: String,
    /// None where the event deleted it.
    pub value: Option<Vec<u8>>,
}

/// The values of a key.
#[derive(Clone, Debug)]
pub struct KeyValues {
    pub identity: Digest,
    pub encoding: StateEncoding,
    /// The latest first.
    pub values: Vec<KeyValue>,
    /// There may be more before this event: go on from it.
    pub next: Option<Sequence>,
}

/// What is looked through, the latest first, and what was found.
struct Search<'a> {
    engine: &'a Engine,
    name: &'a str,
    deployment: &'a Deployment,
    key: &'a str,
    limit: usize,
    found: Vec<(Sequence, Option<Vec<u8>>)>,
    /// Everything behind this event was looked through.
    down_to: Sequence,
    folded: u64,
}

impl Engine {
    /// The latest `limit` values that a key of the readable state had behind events before `before`, or at all.
    pub fn key_values(
        &self,
        name: &str,
        key: &str,
        (before, limit): (Option<Sequence>, usize),
        waiting: &mut Waiting<'_>,
    ) -> Result<KeyValues, Error> {
        let projection = self.projection(name)?;
        let deployment = projection.readable();
        let code = self.code(deployment)?;
        let head = self.head().sequence();
        let down_to = before.map_or(head, |before| before.previous().min(head));
        let mut search = Search { engine: self, name, deployment, key, limit, found: Vec::new(), down_to, folded: 0 };
        let history = self.store_of(name, deployment)?.key_history(key)?;
        if let Some(history) = history.filter(|history| history.to <= search.down_to) {
            search.by_history(history, waiting)?;
        }
        if search.found.len() < limit && search.folded < EVENTS_MAX && search.down_to > Sequence::ZERO {
            let from = Sequence(search.down_to.0.saturating_sub(EVENTS_MAX - search.folded));
            let to = search.down_to;
            search.fold((from, to), waiting)?;
        }
        search.found.truncate(limit);
        let next = match search.found.last() {
            Some((sequence, _)) if search.found.len() == limit => Some(*sequence),
            Some(_) | None => Some(search.down_to.next()),
        };
        let next = next.filter(|next| *next > Sequence::FIRST);
        let values = std::mem::take(&mut search.found).into_iter().map(|found| self.described(found));
        let (identity, encoding) = (deployment.identity(), code.plugin.manifest().state_encoding);
        Ok(KeyValues { identity, encoding, values: values.collect::<Result<_, _>>()?, next })
    }

    fn described(&self, (sequence, value): (Sequence, Option<Vec<u8>>)) -> Result<KeyValue, Error> {
        let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
        let page = self.log().reader()?.read(&query, 1, 1)?;
        let Some(event) = page.batch.find(sequence) else {
            let head = page.next.previous();
            return Err(match page.folded.is_empty() {
                true => Error::UnknownEvent { sequence, head },
                false => Error::EventFolded { sequence },
            });
        };
        let (stream, event_type) = (event.stream.to_owned(), event.event_type.to_owned());
        Ok(KeyValue { sequence, recorded_at: event.recorded_at, stream, event_type, value })
    }
}

impl Search<'_> {
    /// Goes back through the commits that changed the key.
    fn by_history(&mut self, history: KeyHistory, waiting: &mut Waiting<'_>) -> Result<(), Error> {
        if history.to < self.down_to {
            self.fold((history.to, self.down_to), waiting)?;
        }
        let mut value = history.value;
        for changed in history.changes {
            if self.found.len() >= self.limit || self.folded >= EVENTS_MAX {
                return Ok(());
            }
            if changed.commit.0 - changed.before.0 == 1 {
                self.found.push((changed.commit, value));
                self.down_to = changed.before;
            } else {
                self.fold((changed.before, changed.commit), waiting)?;
            }
            value = changed.old;
        }
        if self.found.len() < self.limit {
            self.down_to = history.from;
        }
        Ok(())
    }

    /// Folds the events behind one up to another one by one, and finds those that changed the key.
    fn fold(&mut self, (from, to): (Sequence, Sequence), waiting: &mut Waiting<'_>) -> Result<(), Error> {
        let Self { engine, name, deployment, key, limit, .. } = *self;
        let past = engine.past_of(name, deployment, (from, None), waiting)?;
        let code = engine.code(deployment)?;
        let source = engine.source_again(self.name, deployment, &code)?;
        let mut feed = feed(deployment, &code, Overlay::new(past.base()));
        feed.sizing = Sizing::cycle(&[1]);
        feed.stop = Arc::clone(&waiting.stop);
        feed.quarantine = Quarantine::holding(past.set_aside.clone());
        let mut value = past.get(key)?;
        let mut found = VecDeque::new();
        let (mut reached, mut is_over) = (from, past.halted.is_some());
        while reached < to && !is_over {
            let portion = source.read(reached.next(), to)?;
            for one in one_by_one(&portion) {
                let fed = feed.feed_portion(&one);
                if let Some(stopped) = &fed.stopped {
                    if !stopped.is_fault() {
                        let (name, reason) = (name.to_owned(), format!("{stopped:?}"));
                        return Err(match waiting.stop.load(Ordering::Relaxed) {
                            true => Error::AsOfCancelled { name, reached: stopped.before() },
                            false => Error::AsOfStopped { name, reached: stopped.before(), reason },
                        });
                    }
                    // Where it halts nothing changes any more.
                    is_over = true;
                    break;
                }
                feed.quarantine.count(&one, None);
                let now = feed.overlay().get(key)?;
                if now != value {
                    found.push_back((one.through, now.clone()));
                    if found.len() > limit {
                        found.pop_front();
                    }
                    value = now;
                }
            }
            reached = portion.through;
        }
        self.found.extend(found.into_iter().rev());
        self.folded += to.0 - from.0;
        self.down_to = from;
        Ok(())
    }
}

/// A portion for each of its events, and one for the event that could not be upcast.
fn one_by_one(portion: &Portion) -> Vec<Portion> {
    let each = (0..portion.batch.len()).map(|at| {
        let batch = Arc::new(portion.batch.slice(at..at + 1));
        Portion { through: batch.event(0).sequence, batch, failed: None, dropped: LeftOut::default() }
    });
    let failed = portion.failed.clone().map(|failed| Portion {
        through: failed.sequence,
        batch: Arc::default(),
        failed: Some(failed),
        dropped: LeftOut::default(),
    });
    each.chain(failed).collect()
}
