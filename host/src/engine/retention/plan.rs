//! What a run of retention would drop: one pass over the log, which writes nothing.

use std::collections::BTreeMap;

use super::marked::Marked;
use super::{Candidate, Policy, Verdict};
use crate::engine::Error;
use crate::event::{Batch, EventRef, Filter, Sequence, Timestamp, Version, category_of};
use crate::log::{Query, Reader, Stats};

/// Events and bytes of payloads in one page: enough that streams are looked up many at once.
const PAGE_EVENTS: usize = 8_192;
const PAGE_BYTES: usize = 4 << 20;

/// About what a stub takes beside the envelope: its digest, which no compression makes smaller, and a few numbers.
const STUB_BYTES: u64 = 37;

/// About what a range takes beside its nodes, and each of those.
const RANGE_BYTES: u64 = 44;
const NODE_BYTES: u64 = 32;

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The last event that was looked at.
    pub cut: Sequence,
    /// By category and event type: those that a rule is about.
    pub groups: BTreeMap<(String, String), Group>,
    /// About what the file would have afterwards; as much as now if nothing would go.
    pub file_bytes_after: u64,
    /// Events of critical types that a rule is about and whose payload is there.
    pub critical: u64,
    pub(super) marked: Marked,
}

/// What would become of the events of a category and a type that a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Events whose payload would go.
    pub events: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Events that stay because a rule says so.
    pub kept: u64,
    /// Events that stay because their type is critical.
    pub critical: u64,
}

impl Plan {
    /// All groups together.
    pub fn total(&self) -> Group {
        self.groups.values().fold(Group::default(), |sum, group| Group {
            events: sum.events + group.events,
            bytes: sum.bytes + group.bytes,
            kept: sum.kept + group.kept,
            critical: sum.critical + group.critical,
        })
    }

    /// Judges every event of the log up to `cut`, as it is now. Calls `progress` with the last sequence looked at, once a page.
    pub(super) fn make(
        (reader, stats, cut): (&Reader, Stats, Sequence),
        policy: &Policy,
        now: Timestamp,
        progress: &mut dyn FnMut(Sequence),
    ) -> Result<Self, Error> {
        let mut making = Making {
            policy,
            now,
            groups: BTreeMap::new(),
            critical: 0,
            marked: Marked::default(),
            saved: Saved::default(),
        };
        let mut query = Query { from: Sequence::FIRST, to: Some(cut), filter: filter(policy) };
        while query.from <= cut && !policy.is_empty() {
            let page = reader.read(&query, PAGE_EVENTS, PAGE_BYTES)?;
            making.judge_all(reader, &page.batch)?;
            query.from = page.next;
            progress(page.next.previous().min(cut));
        }
        let file_bytes_after = making.saved.file_bytes_after(stats);
        let Making { groups, critical, marked, .. } = making;
        Ok(Self { cut, groups, file_bytes_after, critical, marked })
    }
}

/// The events that rules can be about. Rules by type and by category together can be about any.
fn filter(policy: &Policy) -> Filter {
    let (categories, event_types) = (policy.categories.keys().cloned(), policy.event_types.keys().cloned());
    match (policy.categories.is_empty(), policy.event_types.is_empty()) {
        (false, true) => Filter { categories: categories.collect(), ..Filter::all() },
        (true, false) => Filter { event_types: event_types.collect(), ..Filter::all() },
        (true, true) | (false, false) => Filter::all(),
    }
}

struct Making<'a> {
    policy: &'a Policy,
    now: Timestamp,
    groups: BTreeMap<(String, String), Group>,
    critical: u64,
    marked: Marked,
    saved: Saved,
}

impl Making<'_> {
    fn judge_all(&mut self, reader: &Reader, batch: &Batch) -> Result<(), Error> {
        let concerned = || batch.iter().filter(|event| self.policy.concerns(event.stream, event.event_type));
        let mut versions: BTreeMap<&str, Version> = concerned().map(|event| (event.stream, Version::ZERO)).collect();
        let streams: Vec<&str> = versions.keys().copied().collect();
        for (version, found) in versions.values_mut().zip(reader.stream_versions(&streams)?) {
            *version = found;
        }
        let judged =
            concerned().filter_map(|event| Some((event, event.payload()?, versions.get(event.stream).copied())));
        for (event, payload, last_version) in judged.collect::<Vec<_>>() {
            self.judge(event, payload, last_version.unwrap_or(event.version));
        }
        Ok(())
    }

    /// Judges an event whose payload is there.
    fn judge(&mut self, event: EventRef<'_>, payload: &[u8], last_version: Version) {
        let EventRef { stream, event_type, version, recorded_at, .. } = event;
        // More may have come since than the reader sees, never less.
        let last_version = last_version.max(version);
        let verdict = self.policy.judge(Candidate { stream, event_type, version, recorded_at, last_version }, self.now);
        self.critical += u64::from(self.policy.critical.contains(event_type));
        let key = (category_of(stream).to_owned(), event_type.to_owned());
        let group = self.groups.entry(key).or_default();
        match verdict {
            Verdict::Keep => group.kept += 1,
            Verdict::Critical => group.critical += 1,
            Verdict::Drop => {
                group.events += 1;
                let bytes = payload.len() as u64;
                group.bytes += bytes;
                self.marked.insert(event.sequence);
                self.saved.add(event.sequence, event.envelope_bytes().len() as u64, bytes);
            }
        }
    }
}

/// What dropping takes out of the blocks, and what it puts there, before compression.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    out_bytes: u64,
    /// In stubs and ranges; digests, which do not compress.
    in_bytes: u64,
    /// The run of events that go, which may be folded: from where to where, and its envelopes.
    run: Option<(Sequence, Sequence, u64)>,
}

impl Saved {
    fn add(&mut self, sequence: Sequence, envelope_bytes: u64, payload_bytes: u64) {
        self.out_bytes += payload_bytes;
        self.run = match self.run.take() {
            Some((first, last, envelopes)) if last.next() == sequence => {
                Some((first, sequence, envelopes + envelope_bytes))
            }
            run => {
                self.end(run);
                Some((sequence, sequence, envelope_bytes))
            }
        };
    }

    fn end(&mut self, run: Option<(Sequence, Sequence, u64)>) {
        match run {
            None => {}
            Some((first, last, _)) if first == last => self.in_bytes += STUB_BYTES,
            Some((first, last, envelopes)) => {
                self.out_bytes += envelopes;
                self.in_bytes += RANGE_BYTES + NODE_BYTES * subtrees(first, last);
            }
        }
    }

    /// What is taken out compresses as everything does; what comes in does not at all.
    fn file_bytes_after(mut self, stats: Stats) -> u64 {
        let run = self.run.take();
        self.end(run);
        if self.out_bytes == 0 {
            return stats.file_bytes;
        }
        let raw = stats.raw_bytes_estimate.max(1);
        let saved = u128::from(self.out_bytes.min(raw)) * u128::from(stats.block_bytes) / u128::from(raw);
        let blocks_after = stats.block_bytes - u64::try_from(saved).unwrap_or(stats.block_bytes) + self.in_bytes;
        stats.file_bytes.saturating_sub(stats.block_bytes) + blocks_after.min(stats.block_bytes)
    }
}

/// How many maximal aligned subtrees cover these events of a tree over all of them.
fn subtrees(first: Sequence, last: Sequence) -> u64 {
    let (mut at, end) = (first.0 - 1, last.0);
    let mut count = 0;
    while at < end {
        let aligned = if at == 0 { u64::MAX } else { 1 << at.trailing_zeros() };
        let fits = 1 << (end - at).ilog2();
        at += aligned.min(fits);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_the_fewest_aligned_subtrees() {
        let check =
            |first, last, expected| assert_eq!(subtrees(Sequence(first), Sequence(last)), expected, "{first}-{last}");
        check(1, 1, 1);
        check(1, 1_024, 1);
        check(1, 1_023, 10);
        check(2, 3, 2);
        check(3, 4, 1);
        check(2, 1_024, 10);
    }
}
