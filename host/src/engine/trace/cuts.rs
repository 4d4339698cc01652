//! Where events are cut into calls.

use std::ops::Range;

use crate::engine::replay::page_events;
use crate::event::Batch;

/// Sizes of calls beside one and all: some that divide nothing, and powers of two with their neighbours.
pub(super) const SIZES: [usize; 7] = [2, 3, 7, 64, 65, 501, 4_096];

/// Up to so many events every place between two of them is tried as a cut, each by two calls; beyond, so many places.
pub const CUTS_MAX: usize = 512;

/// Calls of so many events, but never more than a host gives at once.
pub(super) fn calls(batch: &Batch, size: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        (start < batch.len()).then(|| {
            let end = start + page_events(batch, start).min(size);
            std::mem::replace(&mut start, end)..end
        })
    })
}

/// The runs of events that a host would give at once and that all go well: each of `faulty` rows stands alone.
pub(super) fn runs(batch: &Batch, faulty: &[usize]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    for call in calls(batch, usize::MAX) {
        let mut start = call.start;
        for row in faulty.iter().copied().filter(|row| call.contains(row)) {
            runs.extend([start..row, row..row + 1]);
            start = row + 1;
        }
        runs.push(start..call.end);
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The rows before which a run is cut in two, so that of all events there are about `places`.
pub(super) fn cuts(run: &Range<usize>, events: usize, places: usize) -> impl Iterator<Item = usize> + use<> {
    (run.start + 1..run.end).step_by(events.div_ceil(places.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::TraceBatch;
    use super::*;
    use crate::event::{Envelope, EventId, EventType, NewEvent, Sequence, StreamName, Timestamp, Version};

    fn batch(events: usize, payload_bytes: usize) -> Batch {
        let mut batch = TraceBatch::default();
        let (stream, event_type) = (StreamName::new("a/b").unwrap(), EventType::new("t").unwrap());
        let payload = crate::cbor::from_bytes(vec![0; payload_bytes]).unwrap();
        let event = NewEvent::new(stream, event_type, EventId::new("i").unwrap(), payload);
        for number in 1..=events as u64 {
            let envelope = Envelope::of(&event, Sequence(number), Version(number), Timestamp::EPOCH);
            batch.push(&envelope, event.payload.as_bytes());
        }
        batch.finish()
    }

    #[test]
    fn calls_are_never_larger_than_a_host_makes_them() {
        let sizes = |batch: &Batch, size| calls(batch, size).map(|call| call.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&batch(10, 1), 4), [4, 4, 2]);
        assert_eq!(sizes(&batch(8_200, 1), usize::MAX), [8_192, 8]);
        assert_eq!(sizes(&batch(5, 1 << 19), usize::MAX), [5]);
        assert_eq!(sizes(&batch(5, (1 << 20) - 5), usize::MAX), [4, 1]);
        assert!(sizes(&batch(0, 0), 1).is_empty());
    }

    #[test]
    fn faulty_events_stand_alone() {
        assert_eq!(runs(&batch(6, 1), &[]), std::iter::once(0..6).collect::<Vec<_>>());
        assert_eq!(runs(&batch(6, 1), &[0, 3, 5]), [0..1, 1..3, 3..4, 4..5, 5..6]);
        assert_eq!(cuts(&(2..6), 6, CUTS_MAX).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(cuts(&(0..2_000), 2_000, CUTS_MAX).count(), 500);
        assert_eq!(
            cuts(&(0..2_000), 2_000, 10).collect::<Vec<_>>(),
            [1, 201, 401, 601, 801, 1_001, 1_201, 1_401, 1_601, 1_801]
        );
    }
}
