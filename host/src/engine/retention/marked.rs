//! A set of sequences, a bit each: ten million take a megabyte and a quarter.

use crate::event::Sequence;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Marked(Vec<u64>);

impl Marked {
    pub(super) fn insert(&mut self, sequence: Sequence) {
        let (word, bit) = place(sequence);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    pub(in crate::engine) fn contains(&self, sequence: Sequence) -> bool {
        let (word, bit) = place(sequence);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }
}

fn place(sequence: Sequence) -> (usize, u64) {
    ((sequence.0 / 64) as usize, 1 << (sequence.0 % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_found_again() {
        let mut marked = Marked::default();
        assert!(marked.is_empty() && !marked.contains(Sequence(7)));
        let sequences = [5, 63, 64, 127, 1_000];
        sequences.into_iter().for_each(|sequence| marked.insert(Sequence(sequence)));
        let found: Vec<u64> = (0..2_000).filter(|sequence| marked.contains(Sequence(*sequence))).collect();
        assert_eq!(found, sequences);
        assert!(!marked.is_empty());
    }
}
