//! What calls of a plugin cost: kept beside a state, for people and never for the state's content.

use super::ablation;
use crate::event::Sequence;

/// A call that was kept: a batch of events, and the fuel that folding them took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCost {
    /// The first event and the last; others may lie between them that the projection did not want.
    pub first: Sequence,
    pub last: Sequence,
    pub events: u64,
    pub fuel: u64,
}

/// The costs of the calls that made a state. Where batches were cut decides them, so two states of one identity differ
/// here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    pub calls: u64,
    /// The last call; all zero before there was one.
    pub latest: CallCost,
    /// The calls that took the most fuel, the costliest first, at most [`Self::COSTLIEST_MAX`].
    costliest: Vec<CallCost>,
}

/// The bytes of one call, four numbers.
const CALL_BYTES: usize = 32;

/// Calls, and the latest call.
const HEAD_BYTES: usize = 8 + CALL_BYTES;

impl Costs {
    /// 32: more than anybody looks into one by one, and a kilobyte in each commit.
    pub const COSTLIEST_MAX: usize = 32;

    /// Counts a call that was kept.
    pub fn add(&mut self, call: CallCost) {
        if !ablation::keeps_costs() {
            return;
        }
        self.calls += 1;
        self.latest = call;
        self.rank(call);
    }

    /// Counts the calls of `later`, which came after these.
    pub fn merge(&mut self, later: &Self) {
        self.calls += later.calls;
        if later.calls > 0 {
            self.latest = later.latest;
        }
        later.costliest.iter().for_each(|call| self.rank(*call));
    }

    /// The calls that took the most fuel, the costliest first.
    pub fn costliest(&self) -> &[CallCost] {
        &self.costliest
    }

    fn rank(&mut self, call: CallCost) {
        let place = self.costliest.partition_point(|other| other.fuel >= call.fuel);
        if place < Self::COSTLIEST_MAX {
            self.costliest.truncate(Self::COSTLIEST_MAX - 1);
            self.costliest.insert(place, call);
        }
    }

    /// All numbers as 8 bytes little-endian: calls, the latest call, the costliest calls. A call is its
    /// first and its last sequence, events, fuel.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.costliest.len() * CALL_BYTES);
        let mut put = |number: u64| bytes.extend_from_slice(&number.to_le_bytes());
        put(self.calls);
        for call in std::iter::once(&self.latest).chain(&self.costliest) {
            [call.first.0, call.last.0, call.events, call.fuel].into_iter().for_each(&mut put);
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let costliest_bytes = bytes.len().checked_sub(HEAD_BYTES)?;
        if !costliest_bytes.is_multiple_of(CALL_BYTES) || costliest_bytes > Self::COSTLIEST_MAX * CALL_BYTES {
            return None;
        }
        let numbers: Vec<u64> = bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let (head, calls) = numbers.split_at(1);
        let mut calls = calls.as_chunks().0.iter().map(|[first, last, events, fuel]| CallCost {
            first: Sequence(*first),
            last: Sequence(*last),
            events: *events,
            fuel: *fuel,
        });
        let latest = calls.next()?;
        Some(Self { calls: head[0], latest, costliest: calls.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(sequence: u64, fuel: u64) -> CallCost {
        CallCost { first: Sequence(sequence), last: Sequence(sequence + 4), events: 3, fuel }
    }

    #[test]
    fn the_costliest_calls_stay_however_they_come() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut fuels: Vec<u64> = (0..500).collect();
        random.shuffle(&mut fuels);
        let mut costs = Costs::default();
        for half in fuels.chunks(100) {
            let mut later = Costs::default();
            half.iter().for_each(|fuel| later.add(call(1 + fuel * 10, *fuel)));
            costs.merge(&later);
        }
        let kept: Vec<u64> = costs.costliest().iter().map(|call| call.fuel).collect();
        assert_eq!(kept, (468..500).rev().collect::<Vec<_>>());
        assert_eq!((costs.calls, costs.latest.fuel), (500, fuels[499]));
    }

    #[test]
    fn costs_are_read_as_they_were_written() {
        let mut costs = Costs::default();
        assert_eq!(Costs::from_bytes(&costs.to_bytes()), Some(costs.clone()));
        (1..50).for_each(|number| costs.add(call(number, number * 3)));
        let bytes = costs.to_bytes();
        assert_eq!(bytes.len(), 40 + 32 * 32);
        assert_eq!(Costs::from_bytes(&bytes), Some(costs));
        for damaged in [&bytes[..39], &bytes[..41], &[bytes.clone(), vec![0; 32]].concat(), &[]] {
            assert_eq!(Costs::from_bytes(damaged), None);
        }
    }
}
