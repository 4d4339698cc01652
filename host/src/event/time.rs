//! Instants in microseconds since the Unix epoch, written as RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;

/// An instant: microseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// Holds years -9999 to 9999, so that every value has a text and stays below 2^53 in size after 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const EPOCH: Self = Self(0);

    /// The instant that many microseconds after 1970, if it is within the years that a text can say.
    pub fn from_micros(micros: i64) -> Option<Self> {
        jiff::Timestamp::from_microsecond(micros).is_ok().then_some(Self(micros))
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    /// The machine's clock. Only the edges call it: the log's writer and what makes new events.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from_microsecond(self.0).expect("checked by the constructors").fmt(f)
    }
}

/// A text that is no instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time such as 2013-01-01T10:17:00Z")]
pub struct ParseTimeError(String);

impl FromStr for Timestamp {
    type Err = ParseTimeError;

    /// Reads RFC 3339 with any offset; what is finer than a microsecond is cut off.
    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| ParseTimeError(text.to_owned()))?;
        Ok(Self(time.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_from_its_text() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2013-01-01T10:17:00.000001Z", 1_357_035_420_000_001),
            ("1969-12-31T23:59:59Z", -1_000_000),
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time.micros(), micros, "{text}");
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn an_offset_is_taken_into_account() {
        assert_eq!("2013-01-01T05:17:00-05:00".parse::<Timestamp>(), "2013-01-01T10:17:00Z".parse());
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in ["", "2013-01-01", "10:17", "2013-13-01T00:00:00Z", "2013-01-01T10:17:00"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
    }
}
