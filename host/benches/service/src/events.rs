//! Real payloads: the flights of January 2013, over and over under other names.

use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::GzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::process::target;

const YEAR_EVENTS: usize = 665_297;

/// An event of the month: its stream, `flight/DAY-...`, type and payload as JSON.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Flight {
    pub(crate) stream: String,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) data: Box<RawValue>,
}

fn month_lines() -> impl Iterator<Item = String> {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/flights/flights-2013-01.ndjson.gz");
    let file = BufReader::new(std::fs::File::open(packed).unwrap());
    BufReader::new(GzDecoder::new(file)).lines().map(Result::unwrap)
}

/// The first events of the month.
pub(crate) fn flights(limit: usize) -> Vec<Flight> {
    month_lines().take(limit).map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// The month as lines for an import.
pub(crate) fn month() -> String {
    month_lines().fold(String::new(), |text, line| text + &line + "\n")
}

/// The year as examples/flights/year.sh made it, or else January until it is as long, and which of the two.
pub(crate) fn year() -> (String, &'static str) {
    if let Ok(year) = std::fs::read_to_string(target().join("bench-data/flights-2013.ndjson")) {
        return (year, "the year 2013");
    }
    let month: Vec<String> = month_lines().collect();
    let rounds = (0..).flat_map(|round| month.iter().map(move |line| (round, line)));
    let mut year = String::new();
    for (round, line) in rounds.take(YEAR_EVENTS) {
        year += &line.replace("\"flight/2013", &format!("\"flight/{:04}", 2013 + round));
        year.push('\n');
    }
    (year, "January until it is as long as the year")
}

/// These events under ids and streams of their own, as the body of one append. The day stays at the streams' start.
pub(crate) fn body(flights: &[Flight], run: &str, first: usize, count: usize) -> String {
    let mut text = String::from("[");
    for number in first..first + count {
        let Flight { stream, event_type, data } = &flights[number % flights.len()];
        let comma = if number > first { "," } else { "" };
        text += &format!(
            r#"{comma}{{"id":"{run}-{number}","stream":"{stream}-{run}-{number}","type":"{event_type}","data":{data}}}"#
        );
    }
    text + "]"
}
