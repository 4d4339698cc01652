//! Events that a state was made without, because their payloads were gone: counted beside it, by why they were.

/// How many events that were wanted came without their payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// A retention policy let their payloads go.
    pub compacted: u64,
    /// Likewise, and nothing but digests is left: they may have been wanted or not.
    pub folded: u64,
    pub redacted: u64,
    /// The keys of their streams were deleted.
    pub forgotten: u64,
}

impl Missing {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Events that an archive may have.
    pub fn by_retention(self) -> u64 {
        self.compacted + self.folded
    }

    pub(super) fn numbers(self) -> [u64; 4] {
        [self.compacted, self.folded, self.redacted, self.forgotten]
    }

    pub(super) fn of_numbers([compacted, folded, redacted, forgotten]: [u64; 4]) -> Self {
        Self { compacted, folded, redacted, forgotten }
    }

    /// The numbers in the order above, 8 bytes each, little-endian.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.numbers().into_iter().flat_map(u64::to_le_bytes).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let numbers: Vec<u64> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        Some(Self::of_numbers(numbers.try_into().ok()?))
    }
}

impl std::ops::AddAssign for Missing {
    fn add_assign(&mut self, other: Self) {
        self.compacted += other.compacted;
        self.folded += other.folded;
        self.redacted += other.redacted;
        self.forgotten += other.forgotten;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_events_are_read_as_they_were_written() {
        let missing = Missing { compacted: 1, folded: 2, redacted: 3, forgotten: u64::MAX };
        assert_eq!(Missing::from_bytes(&missing.to_bytes()), Some(missing));
        for damaged in [&missing.to_bytes()[..31], &[missing.to_bytes(), vec![0]].concat(), &[]] {
            assert_eq!(Missing::from_bytes(damaged), None);
        }
    }
}
