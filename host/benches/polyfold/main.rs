//! What polyfold promises of its speed, measured beside what else would do the work.
//!
//! `cargo bench` prints Markdown; `cargo bench -- append rebuild` runs only these sections. Contestants take turns, round
//! by round, so that a noisy minute hits all of them, and the median counts.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark speaks to a person, and may fail"
)]

mod append;
mod backup;
mod child;
mod data;
mod encryption;
mod growth;
mod languages;
mod latency;
mod open;
mod prices;
mod rebuild;
mod receipts;
mod report;
mod size;
mod sqlite;
mod time;
mod tree;

use std::path::Path;

use data::Year;

type Section = fn(&Year);

/// The sections, in the order in which they run.
const SECTIONS: [(&str, Section); 12] = [
    ("size", size::run),
    ("open", open::run),
    ("rebuild", rebuild::run),
    ("tree", tree::run),
    ("time", time::run),
    ("prices", prices::run),
    ("receipts", receipts::run),
    ("languages", languages::run),
    ("append", append::run),
    ("latency", latency::run),
    ("encryption", encryption::run),
    ("backup", backup::run),
];

/// Sections that take minutes, and run only if they are named.
const LONG_SECTIONS: [(&str, Section); 1] = [("growth", growth::run)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [role, dir] = arguments.as_slice()
        && role == child::ROLE
    {
        return child::append_and_hang(Path::new(dir));
    }
    let began = std::time::Instant::now();
    let year = Year::load();
    let is_named = |name: &str| arguments.iter().any(|wanted| wanted == name);
    let short = SECTIONS.iter().filter(|(name, _)| arguments.is_empty() || is_named(name));
    for (_, section) in short.chain(LONG_SECTIONS.iter().filter(|(name, _)| is_named(name))) {
        section(&year);
    }
    eprintln!("{:.0} s", began.elapsed().as_secs_f64());
}
