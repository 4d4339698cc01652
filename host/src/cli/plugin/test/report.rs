//! What a tested trace is reported as: for people and for programs.

use std::path::Path;

use serde::Serialize;

use crate::cli::output::{count, count_of};
use crate::engine::{StateEncoding, Tested, Trace, TraceDifference};
use crate::server::data::Data;

/// A value is shown up to so many characters: two of them fit a screen.
const SHOWN_CHARS: usize = 400;

/// So many characters before the first that differs, so that one sees where it is.
const BEFORE_CHARS: usize = 60;

#[derive(Serialize)]
pub(super) struct Report {
    trace: String,
    plugin: String,
    /// The plugin that the trace was recorded from.
    recorded_from: String,
    pub(super) same: bool,
    /// Whether the trace was written anew.
    pub(super) updated: bool,
    events: u64,
    cuts: u64,
    digest: String,
    expected_digest: String,
    fuel_per_event: Option<u64>,
    seconds: f64,
    differences: Vec<Shown>,
    /// Differences that are not shown.
    more: usize,
    /// The first way to cut the events that leads elsewhere than the largest calls.
    cut: Option<Cut>,
}

#[derive(Serialize)]
struct Cut {
    cut: String,
    differences: Vec<Shown>,
    more: usize,
}

#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// An event's, where something else became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    expected: Option<String>,
    found: Option<String>,
    /// The event that changed the key last.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<u64>,
}

impl Report {
    pub(super) fn of(path: &Path, trace: &Trace, tested: &Tested, limit: usize) -> Self {
        let shown = |differences: &[TraceDifference], encodings| -> (Vec<Shown>, usize) {
            let shown = differences.iter().take(limit).map(|difference| Shown::of(difference, encodings));
            (shown.collect(), differences.len().saturating_sub(limit))
        };
        let (differences, more) = shown(&tested.differences, tested.encodings);
        let [_, found] = tested.encodings;
        let cut = tested.cut.as_ref().map(|cut| {
            let (differences, more) = shown(&cut.differences, [found; 2]);
            Cut { cut: cut.cut.clone(), differences, more }
        });
        Self {
            trace: path.display().to_string(),
            plugin: tested.trace.plugin.clone(),
            recorded_from: trace.plugin.clone(),
            same: tested.is_same(),
            updated: false,
            events: tested.events,
            cuts: tested.cuts,
            digest: tested.trace.made.digest().to_string(),
            expected_digest: trace.made.digest().to_string(),
            fuel_per_event: tested.trace.made.fuel().and_then(|fuel| fuel.checked_div(tested.events)),
            seconds: tested.took.as_secs_f64(),
            differences,
            more,
            cut,
        }
    }

    pub(super) fn readable(&self) -> String {
        let verdict = match (self.same, self.updated) {
            (true, _) => "same   ",
            (false, true) => "updated",
            (false, false) => "DIFFERS",
        };
        let (events, cuts) = (count_of(self.events, "event"), count(self.cuts));
        let fuel = self.fuel_per_event.map_or_else(String::new, |fuel| format!(", {} fuel an event", count(fuel)));
        let digest = match self.digest == self.expected_digest {
            true => format!("digest {}", &self.digest[..12]),
            false => format!("digest {}, not {}", &self.digest[..12], &self.expected_digest[..12]),
        };
        let Self { trace, seconds, .. } = self;
        let mut lines =
            vec![format!("{verdict} {trace}: {events}, cut in {cuts} ways, {digest}{fuel}, {seconds:.2} s")];
        lines.extend(self.differences.iter().map(Shown::readable));
        lines.extend(rest(self.more));
        if let Some(cut) = &self.cut {
            lines.push(format!("  the result depends on how events are cut into calls. With {}:", cut.cut));
            lines.extend(cut.differences.iter().map(Shown::readable));
            lines.extend(rest(cut.more));
        }
        lines.join("\n")
    }
}

fn rest(more: usize) -> Option<String> {
    (more > 0).then(|| format!("  … {} more; --limit shows them", count(more as u64)))
}

impl Shown {
    fn of(difference: &TraceDifference, [expected_as, found_as]: [StateEncoding; 2]) -> Self {
        match difference {
            TraceDifference::Entry { key, expected, found, changed_by } => {
                let text =
                    |value: &Option<Vec<u8>>, encoding| value.as_ref().map(|value| Data::value(value, encoding).text());
                let (mut left, mut right) = (text(expected, expected_as), text(found, found_as));
                // Some bytes look alike: NaN and null, or a byte string and its text.
                if left == right {
                    left = left.zip(expected.as_ref()).map(|(text, bytes)| with_bytes(&text, bytes));
                    right = right.zip(found.as_ref()).map(|(text, bytes)| with_bytes(&text, bytes));
                }
                let (expected, found) = cut(left, right);
                Self { key: Some(key.clone()), sequence: None, expected, found, changed_by: changed_by.map(|it| it.0) }
            }
            TraceDifference::Event { sequence, expected, found } => {
                let (expected, found) = cut(expected.clone(), found.clone());
                Self { key: None, sequence: Some(sequence.0), expected, found, changed_by: None }
            }
        }
    }

    fn readable(&self) -> String {
        let what = match (&self.key, self.sequence) {
            (Some(key), _) => key.escape_debug().to_string(),
            (None, sequence) => format!("event {}", sequence.unwrap_or_default()),
        };
        let by = self.changed_by.map_or_else(String::new, |sequence| format!("   (changed last by event {sequence})"));
        match (&self.expected, &self.found) {
            (None, found) => format!("  + {what}: {}{by}", found.as_deref().unwrap_or_default()),
            (Some(expected), None) => format!("  - {what}: {expected}{by}"),
            (Some(expected), Some(found)) => format!("  ~ {what}{by}\n    - {expected}\n    + {found}"),
        }
    }
}

fn with_bytes(text: &str, bytes: &[u8]) -> String {
    /// Enough of the bytes to see what they begin with.
    const BYTES_MAX: usize = 64;
    let hex: String = bytes.iter().take(BYTES_MAX).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > BYTES_MAX { "…" } else { "" };
    format!("{text} ({} {hex}{rest})", count_of(bytes.len() as u64, "byte"))
}

/// Cuts long texts to where they begin to differ.
fn cut(left: Option<String>, right: Option<String>) -> (Option<String>, Option<String>) {
    let same = match (&left, &right) {
        (Some(left), Some(right)) => left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count(),
        _ => 0,
    };
    let window = |text: String| {
        let length = text.chars().count();
        if length <= SHOWN_CHARS {
            return text;
        }
        let from = same.saturating_sub(BEFORE_CHARS).min(length - SHOWN_CHARS);
        let shown: String = text.chars().skip(from).take(SHOWN_CHARS).collect();
        let (before, after) = (if from > 0 { "…" } else { "" }, if from + SHOWN_CHARS < length { "…" } else { "" });
        format!("{before}{shown}{after} ({} characters)", count(length as u64))
    };
    (left.map(window), right.map(window))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(expected: Option<&[u8]>, found: Option<&[u8]>) -> String {
        let bytes = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        let (expected, found) = (bytes(expected), bytes(found));
        let difference = TraceDifference::Entry { key: "a".into(), expected, found, changed_by: None };
        Shown::of(&difference, [StateEncoding::Cbor; 2]).readable()
    }

    #[test]
    fn a_difference_shows_both_values() {
        assert_eq!(readable(None, Some(b"\x01")), "  + a: 1");
        assert_eq!(readable(Some(b"\x61\x62"), None), "  - a: \"b\"");
        assert_eq!(readable(Some(b"\x01"), Some(b"\xf9\x3c\x00")), "  ~ a\n    - 1\n    + 1.0");
        let alike = "  ~ a\n    - null (1 byte f6)\n    + null (3 bytes f97e00)";
        assert_eq!(readable(Some(b"\xf6"), Some(b"\xf9\x7e\x00")), alike);
    }

    #[test]
    fn long_values_are_cut_to_where_they_differ() {
        let (left, right) = cut(Some("x".repeat(1_000) + "a"), Some("x".repeat(1_000) + "b"));
        assert_eq!(left, Some(format!("…{}a (1,001 characters)", "x".repeat(399))));
        assert!(right.is_some_and(|right| right.ends_with("b (1,001 characters)")));
    }
}
