//! Which snapshots stay: all near the end of the log, and the further back the fewer.

use crate::event::Sequence;

/// Up to 8 times their distance back they all stay; beyond, twice as far back there are half as many. So there are some 8
/// for each doubling of the log's length, and none is further from an event than an eighth of the way back.
const DENSE: u64 = 8;

/// Those of the snapshots at these places that stay, given in order; the last always does.
pub(super) fn staying(places: &[Sequence], every: u64) -> Vec<Sequence> {
    let Some((last, before)) = places.split_last() else { return Vec::new() };
    let mut staying = vec![*last];
    for (at, place) in before.iter().enumerate().rev() {
        let newer = staying.last().copied().unwrap_or(*last);
        let older = at.checked_sub(1).map_or(Sequence::ZERO, |at| before[at]);
        // Without it there is a gap: is that still small enough for how far back it lies?
        if newer.0 - older.0 > gap(last.0 - place.0, every) {
            staying.push(*place);
        }
    }
    staying.reverse();
    staying
}

/// How far two neighbours may be apart that lie so far back.
fn gap(back: u64, every: u64) -> u64 {
    let every = every.max(1);
    let doublings = (back / every.saturating_mul(DENSE)).checked_ilog2().unwrap_or(0);
    // One less than twice as far: what was taken a little late counts as in time.
    every.saturating_mul(1 << doublings.min(40)).saturating_add(every / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_stay_dense_near_the_end_and_few_far_back() {
        let every = 10;
        let mut kept: Vec<Sequence> = Vec::new();
        for number in 1..=10_000 {
            kept.push(Sequence(number * every));
            kept = staying(&kept, every);
        }
        let last = 10_000 * every;
        assert_eq!(kept.last(), Some(&Sequence(last)));
        assert!(kept.len() < 130, "{}", kept.len());
        // Whatever event is asked for, the one before it is no further than about an eighth of the way back.
        for asked in (every..last).step_by(7) {
            let nearest = kept.iter().rev().find(|place| place.0 <= asked).map_or(0, |place| place.0);
            let allowed = (last - asked) / 7 + 2 * every;
            assert!(asked - nearest <= allowed, "{asked}: {nearest}, {allowed} allowed");
        }
        assert_eq!(staying(&[], 5), []);
        assert_eq!(staying(&[Sequence(3)], 0), [Sequence(3)]);
    }
}
