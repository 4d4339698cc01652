//! Durations as people type them: a number and a unit.

use std::time::Duration;

/// Reads `90s`, `30m`, `12h`, `30d` or `8w`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unknown = || format!("{text:?} is no duration; give a number and a unit (s, m, h, d, w), for example 30d");
    let unit = text.chars().last().ok_or_else(unknown)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(unknown()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| unknown())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("2m", 120), ("12h", 43_200), ("30d", 2_592_000), ("1w", 604_800)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1", "-1d", "1.5h", "1ü", "1 d", "99999999999999999w"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
