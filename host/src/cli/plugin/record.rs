//! `plugin record`: a golden trace from a log.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::trace_file;
use crate::cli::Context;
use crate::cli::client::{Query, segment};
use crate::cli::error::Error;
use crate::cli::output::count_of;

/// Write a slice of the log, and what a plugin made of it, into a file that `plugin test` replays.
#[derive(Debug, Args)]
pub(in crate::cli) struct Record {
    /// The projection whose plugin, parameters and limits fold the slice, from an empty state.
    #[arg(required_unless_present = "upcaster", conflicts_with = "upcaster")]
    projection: Option<String>,
    /// Record an upcaster's own steps instead: its name, name@version, or the start of its digest.
    #[arg(long, value_name = "PLUGIN")]
    upcaster: Option<String>,
    /// The file to write, which must not exist yet; compressed if its name ends with .gz.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Begin behind this sequence.
    #[arg(long, value_name = "SEQUENCE")]
    since: Option<u64>,
    /// End with this sequence.
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// End with so many events that the plugin sees; a trace holds 100,000 at most.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// What was recorded.
#[derive(Serialize)]
struct Recorded<'a> {
    output: &'a Path,
    events: u64,
    entries: Option<u64>,
    faults: u64,
    digest: String,
}

/// A trace's last line.
#[derive(Deserialize)]
struct Last {
    end: End,
}

#[derive(Deserialize)]
struct End {
    events: u64,
    entries: Option<u64>,
    faults: u64,
    digest: String,
}

impl Record {
    pub(in crate::cli) fn run(self, context: &mut Context) -> Result<(), Error> {
        if self.output.exists() {
            let text = format!("{} exists already; name another file, or remove it first", self.output.display());
            return Err(Error::Usage(text));
        }
        let path = match (&self.upcaster, &self.projection) {
            (Some(upcaster), _) => format!("/plugins/{}/trace", segment(upcaster)),
            (None, projection) => format!("/projections/{}/trace", segment(projection.as_deref().unwrap_or_default())),
        };
        let query = Query::of(path).with_some("since", self.since).with_some("to", self.to);
        let query = query.with_some("limit", self.limit);
        let mut client = context.connect()?;
        let spinner = context.output.spinner("recording");
        let (mut text, mut last) = (String::new(), 0);
        let answered = client.lines(query.path(), |line| {
            last = text.len();
            text += line;
            text.push('\n');
            Ok(())
        });
        spinner.finish_and_clear();
        answered.map_err(|error| error.advised("nothing was written; record again"))?;
        let end = serde_json::from_str::<Last>(&text[last..]);
        let Last { end } = end.map_err(|_| Error::Broken("the trace ended too soon; record again".to_owned()))?;
        trace_file::write(&self.output, &text)?;
        let recorded = Recorded {
            output: &self.output,
            events: end.events,
            entries: end.entries,
            faults: end.faults,
            digest: end.digest,
        };
        context.output.data(&recorded, readable)
    }
}

fn readable(recorded: &Recorded) -> String {
    let Recorded { output, events, entries, faults, digest } = recorded;
    let entries = entries.map_or_else(String::new, |entries| match entries {
        1 => ", 1 entry".to_owned(),
        entries => format!(", {} entries", crate::cli::output::count(entries)),
    });
    let (events, faults) = (count_of(*events, "event"), count_of(*faults, "fault"));
    format!("recorded {events}{entries} and {faults} to {}, digest {}", output.display(), &digest[..12])
}
