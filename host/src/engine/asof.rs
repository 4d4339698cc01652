//! States as of an earlier event or time: the nearest state that is at hand, and a replay of the rest into memory.
//!
//! What a state was follows from the log and the identity alone, so the answer is exact, whatever was kept of the time
//! in between: what is kept decides only how long it takes.

mod bases;
mod cache;
mod changes;
mod fold;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) use bases::Start;
pub(super) use cache::Pasts;
use cache::Sought;
pub use changes::{KeyValue, KeyValues};
use fold::Fold;

use super::snapshots::damage;
use super::states::Scratch;
use super::{Deployment, Engine, Error, Progress};
use crate::event::{Digest, Sequence, Timestamp};
use crate::plugin::ProjectionManifest;
use crate::state::{Base, Entry, Fault, Missing, Overlay, SetAside, StateDigest, Store, Totals, View};

/// 256 MiB of changes in memory; beyond that an earlier state is made in a file.
pub(super) const CHANGES_BYTES_MAX: usize = 256 << 20;

/// A place in time, as somebody says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Behind that event.
    Sequence(Sequence),
    /// Behind the last event recorded at that time or before.
    Time(Timestamp),
}

/// A text that is no place in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a sequence nor an RFC 3339 time such as 2013-01-01T10:17:00Z")]
pub struct InvalidMoment(String);

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let sequence = text.parse().map(|sequence| Self::Sequence(Sequence(sequence)));
        let moment = sequence.or_else(|_| text.parse().map(Self::Time));
        moment.map_err(|_| InvalidMoment(text.to_owned()))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

/// Which of a projection's states over time is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsOf {
    /// Where in the log; its end if it is left out.
    pub at: Option<Moment>,
    /// Of the events up to there only those that had occurred by then.
    pub occurred: Option<Timestamp>,
    /// Made by what has this identity, or one that begins so; by what answers readers if it is left out.
    pub identity: Option<String>,
}

/// What a state was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nothing: all events were folded.
    #[default]
    Nothing,
    /// The state's file as it stands.
    Live,
    /// The state's file and its history.
    History,
    Snapshot,
    /// One of the states that were asked for lately.
    Recent,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Live => "live",
            Self::History => "history",
            Self::Snapshot => "snapshot",
            Self::Recent => "recent",
        }
    }
}

/// A state as it was.
#[derive(Debug)]
pub struct Past {
    pub identity: Digest,
    pub manifest: Arc<ProjectionManifest>,
    /// The event behind which it is wanted.
    pub sequence: Sequence,
    /// The event behind which it stands: an earlier one where it halted.
    pub reached: Sequence,
    /// Why it stands there.
    pub halted: Option<Box<Fault>>,
    pub origin: Origin,
    /// How far what it was made from came; all events behind were folded for it.
    pub from: Sequence,
    /// What would have been nearer and could not be used, and why.
    pub unused: Vec<String>,
    /// Events that it was made without.
    pub missing: Missing,
    state: Arc<Overlay>,
    faults: Vec<Fault>,
    set_aside: Vec<(String, SetAside)>,
    view: Option<Arc<View>>,
    _keep: Keep,
}

/// What must stay as long as a state is read.
#[derive(Debug, Default)]
enum Keep {
    #[default]
    Nothing,
    Store(#[expect(dead_code, reason = "only held")] Arc<Store>),
    Scratch(#[expect(dead_code, reason = "only held")] Scratch),
}

impl Past {
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.state.get(key)?)
    }

    /// At most `limit` entries whose key starts with `prefix` and lies behind `after`, in key order.
    pub fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, Error> {
        Ok(self.state.scan(prefix, after, limit)?)
    }

    /// All entries in key order.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, Error>> {
        self.state.entries().map(|entry| Ok(entry?))
    }

    pub fn totals(&self) -> Result<Totals, Error> {
        Ok(self.state.totals()?)
    }

    /// The digest of all entries; takes a pass over them.
    pub fn digest(&self) -> Result<Digest, Error> {
        let mut digest = StateDigest::default();
        for entry in self.entries() {
            let (key, value) = entry?;
            digest.add(&key, &value);
        }
        Ok(digest.finish())
    }

    /// The faults of events up to there.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The state, to lay changes over.
    pub(super) fn base(&self) -> Base {
        Base::Below(Arc::clone(&self.state))
    }

    /// Since which event a stream is set aside.
    pub(super) fn set_aside_since(&self, stream: &str) -> Option<Sequence> {
        let found = self.set_aside.iter().find(|(found, _)| found == stream);
        found.map(|(_, set_aside)| set_aside.first)
    }

    /// What was found damaged of the snapshot that it lies over, if anything was: then what it says is of no use.
    pub fn damage(&self) -> Option<String> {
        damage(self.view.as_ref())
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        self.state.kept_bytes()
    }
}

/// Lets long work be watched, and ended by whoever does not wait for it any more.
pub struct Waiting<'a> {
    pub stop: Arc<AtomicBool>,
    pub watch: &'a mut (dyn FnMut(&Progress) + Send),
}

impl std::fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Engine {
    /// The last event of a moment.
    ///
    /// # Errors
    /// If the log does not come to that sequence. A time behind its end means its end.
    pub fn sequence_as_of(&self, moment: Moment) -> Result<Sequence, Error> {
        let reader = self.log().reader()?;
        let head = reader.head().sequence;
        match moment {
            Moment::Sequence(wanted) if wanted > head => Err(Error::BeyondHead { wanted, head }),
            Moment::Sequence(sequence) => Ok(sequence),
            Moment::Time(time) => match Timestamp::from_micros(time.micros().saturating_add(1)) {
                Some(behind) => Ok(reader.sequence_at(behind)?.previous()),
                None => Ok(head),
            },
        }
    }

    /// A projection's state as it was. Takes a replay of what lies between it and what is at hand.
    pub fn past(&self, name: &str, as_of: &AsOf, waiting: &mut Waiting<'_>) -> Result<Arc<Past>, Error> {
        let projection = self.projection(name)?;
        let deployment = match &as_of.identity {
            None => projection.readable(),
            Some(identity) => known(&projection, identity)?,
        };
        let sequence = match as_of.at {
            None => self.head().sequence(),
            Some(moment) => self.sequence_as_of(moment)?,
        };
        self.past_of(name, deployment, (sequence, as_of.occurred), waiting)
    }

    /// The same of a deployment, behind an event, with only what had occurred by a time.
    pub(super) fn past_of(
        &self,
        name: &str,
        deployment: &Deployment,
        (sequence, occurred): (Sequence, Option<Timestamp>),
        waiting: &mut Waiting<'_>,
    ) -> Result<Arc<Past>, Error> {
        let since = self.hub.states.removals();
        let sought = Sought { name: name.to_owned(), identity: deployment.identity(), sequence, occurred };
        if let Some(past) = self.hub.pasts.find(&sought) {
            return Ok(past);
        }
        let mut unused = Vec::new();
        // Each time that a snapshot turns out to be damaged it is removed, so this comes to an end.
        loop {
            let mut start = self.nearest(deployment, &sought)?;
            start.unused.append(&mut unused);
            let view = start.view.clone();
            match (self.make(deployment, &sought, (start, since), waiting), damage(view.as_ref())) {
                (made, None) => return made,
                (_, Some(why)) => {
                    self.drop_damaged(name, &why);
                    unused.push(why);
                }
            }
        }
    }

    /// Removes what is damaged of a projection's snapshots, and forgets what was made of them.
    pub fn drop_damaged(&self, name: &str, why: &str) {
        tracing::warn!(projection = name, "{why}; what it was needed for is made without it");
        self.hub.pasts.forget(name);
        self.hub.states.scrub(name);
    }

    fn make(
        &self,
        deployment: &Deployment,
        sought: &Sought,
        (start, since): (Start, u64),
        waiting: &mut Waiting<'_>,
    ) -> Result<Arc<Past>, Error> {
        let is_long = sought.sequence.0 - start.sequence().0 > cache::LONG_EVENTS;
        let _turn = is_long.then(|| self.hub.pasts.turn(sought, &waiting.stop));
        if let Some(past) = is_long.then(|| self.hub.pasts.find(sought)).flatten() {
            return Ok(past);
        }
        let past = Arc::new(Fold::new(self, deployment, sought, start)?.run(waiting)?);
        if self.hub.states.unless_removed(since).is_some() {
            self.hub.pasts.keep(sought.clone(), &past);
        }
        Ok(past)
    }
}

/// What has run under an identity, of which six digits are enough.
fn known<'a>(projection: &'a super::Projection, identity: &str) -> Result<&'a Deployment, Error> {
    const DIGITS_MIN: usize = 6;
    let has = |deployment: &&Deployment| deployment.identity().to_string().starts_with(identity);
    let mut fitting = projection.recipes().filter(|it| identity.len() >= DIGITS_MIN && has(it));
    match (fitting.next(), fitting.next()) {
        (Some(deployment), None) => Ok(deployment),
        (Some(_), Some(_)) | (None, _) => {
            let known: Vec<String> = projection.recipes().map(|it| it.identity().short().to_string()).collect();
            let (name, identity) = (projection.name.clone(), identity.to_owned());
            Err(Error::UnknownIdentity { name, identity, known: known.join(", ") })
        }
    }
}
