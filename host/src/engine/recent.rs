//! Reads of the log's live end, shared: projections that wait for the same events find what the first of them has read
//! and upcast.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use super::Error;
use super::keys::Keys;
use super::portion::{Portion, Want};
use crate::event::{Batch, Filter, Sequence};
use crate::log::{Log, Page, Query};

/// Stretches of the log that are kept: who is further behind reads for itself and holds up nobody.
const STRETCHES_MAX: usize = 16;

/// Above this many events a projection is not at the live end and reads by itself.
pub(super) const EVENTS_MAX: u64 = 1_024;

/// What one page may hold; with the number of stretches this bounds the memory that is held.
const BYTES_MAX: usize = 1 << 20;

/// The latest stretches of the log that were read.
#[derive(Debug, Default)]
pub(super) struct Recent {
    stretches: Mutex<VecDeque<Arc<Stretch>>>,
}

#[derive(Debug)]
struct Stretch {
    from: Sequence,
    to: Sequence,
    page: OnceLock<Option<Arc<Page>>>,
    portions: Mutex<Vec<(Want, Arc<OnceLock<Portion>>)>>,
}

impl Recent {
    /// What `want` is of the events from `from` to `to`, or none where it should be read by itself.
    pub(super) fn portion(
        &self,
        (log, keys): (&Log, &Arc<Keys>),
        from: Sequence,
        to: Sequence,
        want: &Want,
        make: impl FnOnce(&Batch, Sequence) -> Portion,
    ) -> Option<Portion> {
        let stretch = self.stretch(from, to);
        let portion = stretch.portion(want);
        // The first to come reads, the others wait for it; what cannot be read is for each to find out by itself.
        // Of what was dropped each makes its own.
        let is_whole = |page: &Page| page.batch.is_whole() && page.folded.is_empty();
        let read = || read(log, keys, from, to).ok().filter(is_whole).map(Arc::new);
        let page = stretch.page.get_or_init(read).as_ref()?;
        let portion = portion.get_or_init(|| make(&page.batch, page.next));
        // A failure that says nothing of the event must be found out anew by each try.
        Some(portion).filter(|portion| portion.is_final()).cloned()
    }

    /// Lets go of all: what they hold of the log may not be in it any more.
    pub(super) fn clear(&self) {
        self.stretches.lock().expect("no thread panics while it holds the stretches").clear();
    }

    fn stretch(&self, from: Sequence, to: Sequence) -> Arc<Stretch> {
        let mut stretches = self.stretches.lock().expect("no thread panics while it holds the stretches");
        if let Some(known) = stretches.iter().rev().find(|stretch| stretch.from == from && stretch.to == to) {
            return Arc::clone(known);
        }
        if stretches.len() == STRETCHES_MAX {
            stretches.pop_front();
        }
        let stretch = Arc::new(Stretch { from, to, page: OnceLock::new(), portions: Mutex::default() });
        stretches.push_back(Arc::clone(&stretch));
        stretch
    }
}

impl Stretch {
    fn portion(&self, want: &Want) -> Arc<OnceLock<Portion>> {
        let mut portions = self.portions.lock().expect("no thread panics while it holds the portions");
        if let Some((_, known)) = portions.iter().find(|(known, _)| known == want) {
            return Arc::clone(known);
        }
        let portion = Arc::new(OnceLock::new());
        portions.push((want.clone(), Arc::clone(&portion)));
        portion
    }
}

fn read(log: &Log, keys: &Arc<Keys>, from: Sequence, to: Sequence) -> Result<Page, Error> {
    let query = Query { from, to: Some(to), filter: Filter::default() };
    keys.reader(log)?.read(&query, EVENTS_MAX as usize, BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::UpcastFault;
    use crate::engine::portion::LeftOut;
    use crate::event::{Digest, EventId, EventType, NewEvent, SchemaVersion, StreamName, Timestamp};
    use crate::log::{Append, Options, Prepared};
    use crate::plugin::{Mishap, Output, Prices};

    fn log() -> (tempfile::TempDir, Log) {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&dir.path().join("log.redb"), &Options::default()).unwrap();
        let payload = crate::cbor::from_json("1").unwrap();
        let event = |id: &str| {
            let (stream, event_type) = (StreamName::new("a/1").unwrap(), EventType::new("t").unwrap());
            NewEvent::new(stream, event_type, EventId::new(id).unwrap(), payload.clone())
        };
        let append = Append { events: vec![event("1"), event("2")], expectations: Vec::new() };
        let mut transaction = log.begin().unwrap();
        transaction.plan(Prepared::new(append).unwrap(), Timestamp::EPOCH).unwrap();
        transaction.commit().unwrap();
        (dir, log)
    }

    fn want(upcaster: &str) -> Want {
        Want { upcasters: vec![upcaster.to_owned()], prices: Prices::default(), filter: Filter::all() }
    }

    fn failed(mishap: Mishap) -> UpcastFault {
        UpcastFault {
            sequence: Sequence(1),
            stream: "a/1".to_owned(),
            event_type: "t".to_owned(),
            schema_version: SchemaVersion::FIRST,
            upcaster: Digest::ZERO,
            name: "u@1".to_owned(),
            failure: mishap.into(),
            fuel: 0,
            output: Output::default(),
        }
    }

    #[test]
    fn projections_that_want_the_same_share_one_portion_unless_it_may_go_well_another_time() {
        let (dir, log) = log();
        let keys = Arc::new(Keys::open(dir.path(), log.id()).unwrap());
        let recent = Recent::default();
        let made = Cell::new(0);
        let take = |from: u64, want: &Want, failed: Option<UpcastFault>| {
            let make = |batch: &Batch, next: Sequence| {
                made.set(made.get() + 1);
                Portion {
                    batch: Arc::new(batch.clone()),
                    through: next.previous(),
                    failed,
                    dropped: LeftOut::default(),
                }
            };
            recent.portion((&log, &keys), Sequence(from), Sequence(2), want, make).map(|portion| portion.batch.len())
        };
        assert_eq!((take(1, &want("a"), None), take(1, &want("a"), None), made.get()), (Some(2), Some(2), 1));
        assert_eq!((take(1, &want("b"), None), made.get()), (Some(2), 2), "another chain makes other events");
        assert_eq!((take(2, &want("a"), None), made.get()), (Some(1), 3), "another place has other events");
        let deadline = || Some(failed(Mishap::Deadline { deadline: std::time::Duration::from_secs(1) }));
        assert_eq!((take(1, &want("c"), deadline()), take(1, &want("c"), deadline())), (None, None));
    }
}
