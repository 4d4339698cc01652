//! Quarantine: which streams a state has set aside, from which event on, and how much of each.
//!
//! What is set aside follows from the log alone, wherever batches are cut: a stream is quarantined at its first faulty
//! event, and from that event on everything of it that the projection wants is passed over.

use std::collections::{BTreeMap, BTreeSet};

use super::portion::Portion;
use crate::event::{EventRef, Sequence};
use crate::state::{self, Fault, Reader, SetAside};

/// 10,000 streams: so many do not fail by chance, and who reads their list has given up long before. Beyond, the
/// projection halts.
pub(super) const STREAMS_MAX: usize = 10_000;

/// The streams that one state has quarantined.
#[derive(Clone, Debug, Default)]
pub(super) struct Quarantine {
    streams: BTreeMap<String, SetAside>,
    /// Of which there is more than was handed out.
    changed: BTreeSet<String>,
    /// What appends brought that are not decided yet.
    planned: Vec<(Sequence, String)>,
}

impl Quarantine {
    /// As it is in the state's file.
    pub(super) fn of(reader: &Reader) -> Result<Self, state::Error> {
        Ok(Self::holding(reader.set_aside(None, usize::MAX)?))
    }

    pub(super) fn holding(streams: Vec<(String, SetAside)>) -> Self {
        Self { streams: streams.into_iter().collect(), ..Self::default() }
    }

    /// All that is set aside.
    pub(super) fn all(&self) -> BTreeMap<String, SetAside> {
        self.streams.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether there is no room for another stream.
    pub(super) fn is_full(&self) -> bool {
        self.streams.len() >= STREAMS_MAX
    }

    /// Whether the stream is set aside, as far as it was read.
    pub(super) fn holds(&self, stream: &str) -> bool {
        self.streams.contains_key(stream)
    }

    /// From which event on the stream is set aside.
    pub(super) fn since(&self, stream: &str) -> Option<Sequence> {
        self.streams.get(stream).map(|set_aside| set_aside.first)
    }

    /// Sets a stream aside from its faulty event on, which is counted when its portion is.
    pub(super) fn begin(&mut self, fault: &Fault) {
        let first = Sequence(fault.sequence);
        self.streams.insert(fault.stream.clone(), SetAside { first, events: 0, last: first });
    }

    /// Counts what is set aside of a portion, as far as it was taken.
    pub(super) fn count(&mut self, portion: &Portion, before: Option<Sequence>) {
        if !self.is_empty() {
            let set_aside = self.set_aside_of(portion, before);
            set_aside.into_iter().for_each(|(sequence, stream)| self.add(sequence, stream));
        }
    }

    /// The same for an append that is not decided yet.
    pub(super) fn plan(&mut self, portion: &Portion) {
        if !self.is_empty() {
            let set_aside = self.set_aside_of(portion, None);
            self.planned.extend(set_aside);
        }
    }

    pub(super) fn has_planned(&self) -> bool {
        !self.planned.is_empty()
    }

    /// Forgets what was planned behind that event.
    pub(super) fn drop_planned(&mut self, behind: Sequence) {
        self.planned.retain(|(sequence, _)| *sequence <= behind);
    }

    /// Counts what was planned: it is in the log.
    pub(super) fn keep_planned(&mut self) {
        std::mem::take(&mut self.planned).into_iter().for_each(|(sequence, stream)| self.add(sequence, stream));
    }

    /// Hands out the streams of which there is more than was handed out before.
    pub(super) fn take_changed(&mut self) -> BTreeMap<String, SetAside> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|stream| (self.streams[&stream], stream)).map(|(it, stream)| (stream, it)).collect()
    }

    fn set_aside_of(&self, portion: &Portion, before: Option<Sequence>) -> Vec<(Sequence, String)> {
        let events = portion.batch.iter().map(|EventRef { sequence, stream, .. }| (sequence, stream));
        let failed = portion.failed.iter().map(|failed| (failed.sequence, failed.stream.as_str()));
        let taken = events.chain(failed).filter(|(sequence, _)| before.is_none_or(|before| *sequence < before));
        let is_held =
            |(sequence, stream): &(Sequence, &str)| self.since(stream).is_some_and(|since| *sequence >= since);
        taken.filter(is_held).map(|(sequence, stream)| (sequence, stream.to_owned())).collect()
    }

    fn add(&mut self, sequence: Sequence, stream: String) {
        let set_aside = self.streams.get_mut(&stream).expect("only what is quarantined is set aside");
        set_aside.events += 1;
        set_aside.last = sequence;
        self.changed.insert(stream);
    }
}
