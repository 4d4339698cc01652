//! A share of the batches, chosen so that every run chooses the same.

use std::str::FromStr;

use crate::event::{Digest, Sequence};

/// So many of a hundred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    percent: f64,
}

/// Why a share is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no share; give a percentage that is more than 0 and at most 100")]
pub struct InvalidShare(String);

impl Share {
    pub const ALL: Self = Self { percent: 100.0 };

    pub fn percent(percent: f64) -> Result<Self, InvalidShare> {
        let is_share = percent > 0.0 && percent <= 100.0;
        if is_share { Ok(Self { percent }) } else { Err(InvalidShare(percent.to_string())) }
    }

    pub fn as_percent(self) -> f64 {
        self.percent
    }

    /// Whether the batch that begins with that event is among those chosen.
    pub(super) fn takes(self, first: Sequence) -> bool {
        let digest = Digest::of(&first.0.to_le_bytes());
        let bytes = digest.0.first_chunk().expect("a digest has more than 4 bytes");
        f64::from(u32::from_le_bytes(*bytes)) < self.percent / 100.0 * f64::from(u32::MAX) || self == Self::ALL
    }
}

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare(text.to_owned());
        Self::percent(text.parse().map_err(|_| invalid())?).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_takes_about_as_many_as_it_says() {
        let taken = |percent: f64| {
            let share = Share::percent(percent).unwrap();
            (1..=10_000).filter(|sequence| share.takes(Sequence(*sequence))).count()
        };
        assert_eq!(taken(100.0), 10_000);
        assert!((900..1_100).contains(&taken(10.0)), "{}", taken(10.0));
        assert!((20..90).contains(&taken(0.5)), "{}", taken(0.5));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["0", "-1", "100.1", "NaN", "", "all"] {
            let said = text.parse::<Share>().unwrap_err().to_string();
            assert!(said.starts_with(&format!("{text:?} is no share")), "{said}");
        }
        assert_eq!("12.5".parse::<Share>().unwrap().as_percent(), 12.5);
    }
}
