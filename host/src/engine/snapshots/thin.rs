//! Which snapshots stay: all near the end of the log, and the further back the fewer.

use crate::engine::keep::Spacing;
use crate::event::Sequence;

/// Up to 8 times their distance back they all stay; beyond, twice as far back there are half as many. So there are some 8
/// for each doubling of the log's length, and none is further from an event than an eighth of the way back.
const DENSE: u64 = 8;

/// What lies between two snapshots that are taken one behind the other.
const STEP: u64 = 1_000;

/// Where a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    /// Payload that the plugin had taken up to there.
    pub(super) fed_bytes: u64,
}

/// Those of the snapshots at these places that stay, given in order; the last always does.
pub(super) fn staying(places: &[Place], spacing: Spacing) -> Vec<Sequence> {
    let far = distances(places, spacing);
    let Some((last, before)) = far.split_last() else { return Vec::new() };
    let (mut newer, mut staying) = (*last, vec![places[before.len()].sequence]);
    for (at, place) in before.iter().enumerate().rev() {
        let older = at.checked_sub(1).map_or(0, |at| before[at]);
        // Without it there is a gap: is that still small enough for how far back it lies?
        if newer - older > gap(last - place) {
            staying.push(places[at].sequence);
            newer = *place;
        }
    }
    staying.reverse();
    staying
}

/// How far each lies behind the log's beginning in what a replay has to do: by events or by bytes, whichever is further.
fn distances(places: &[Place], spacing: Spacing) -> Vec<u64> {
    let (mut before, mut far) = (Place { sequence: Sequence::ZERO, fed_bytes: 0 }, 0_u64);
    let steps = |amount: u64, each: u64| amount.saturating_mul(STEP).checked_div(each).unwrap_or(0);
    let distance = |place: &Place| {
        let events = place.sequence.0.saturating_sub(before.sequence.0);
        let bytes = place.fed_bytes.saturating_sub(before.fed_bytes);
        far = far.saturating_add(steps(events, spacing.events.max(1)).max(steps(bytes, spacing.bytes)));
        before = *place;
        far
    };
    places.iter().map(distance).collect()
}

/// How far two neighbours may be apart that lie so far back.
fn gap(back: u64) -> u64 {
    let doublings = (back / (STEP * DENSE)).checked_ilog2().unwrap_or(0);
    // One less than twice as far: what was taken a little late counts as in time.
    STEP.saturating_mul(1 << doublings.min(40)).saturating_add(STEP / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: u64 = 10;
    const SPACING: Spacing = Spacing { events: EVERY, bytes: 1 << 20 };

    /// Thins as snapshots come; `place` says where each is.
    fn kept(place: impl Fn(u64) -> Place) -> Vec<Place> {
        let mut kept: Vec<Place> = Vec::new();
        for number in 1..=10_000 {
            kept.push(place(number));
            let staying = staying(&kept, SPACING);
            kept.retain(|place| staying.contains(&place.sequence));
        }
        kept
    }

    /// Whatever event is asked for, the snapshot before it is no further than about an eighth of the way back.
    fn check(kept: &[Place], every: u64) {
        let last = 10_000 * every;
        assert_eq!(kept.last().map(|place| place.sequence.0), Some(last));
        assert!(kept.len() < 130, "{}", kept.len());
        for asked in (every..last).step_by(7) {
            let nearest = kept.iter().rev().map(|place| place.sequence.0).find(|place| *place <= asked).unwrap_or(0);
            let allowed = (last - asked) / 7 + 2 * every;
            assert!(asked - nearest <= allowed, "{asked}: {nearest}, {allowed} allowed");
        }
    }

    #[test]
    fn snapshots_stay_dense_near_the_end_and_few_far_back() {
        check(&kept(|number| Place { sequence: Sequence(number * EVERY), fed_bytes: number }), EVERY);
        // Payloads so large that a snapshot is taken at every second event.
        check(&kept(|number| Place { sequence: Sequence(number * 2), fed_bytes: number << 20 }), 2);
        assert_eq!(staying(&[], SPACING), []);
        let place = Place { sequence: Sequence(3), fed_bytes: 0 };
        assert_eq!(staying(&[place], Spacing { events: 0, bytes: 0 }), [Sequence(3)]);
    }
}
