//! `projection debug`: what a plugin does on one event.

use clap::Args;

use super::{Client, Context, Error, wait};
use crate::cli::client::Query;
use crate::cli::output::{count, count_of, show, size};
use crate::server::model::{Action, DebugFailure, DebugOutcome, Debugged, DebuggedEvent, StateAccess};

/// Run the plugin on one event once more, over the state right before it, and print what it reads, writes and says.
///
/// The state is not touched. It is built from the log up to the event unless it stands right before it, as it does where a
/// projection has halted.
#[derive(Debug, Args)]
pub(in crate::cli) struct Debug {
    name: String,
    /// The event's sequence.
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    at: u64,
}

/// So much of a value is printed; `--json` has all of what the API gives.
const VALUE_CHARS_MAX: usize = 200;

impl Debug {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let query = Query::of(wait::path(&self.name, "/debug")).with("at", self.at);
        let bar = context.output.events_bar(&self.name, 0);
        let debugged = client.look::<Debugged>(query.path(), |progress| show(&bar, progress));
        bar.finish_and_clear();
        context.output.data(&debugged?, readable)
    }
}

fn readable(debugged: &Debugged) -> String {
    let sequence = count(debugged.sequence);
    let mut lines = vec![match &debugged.event {
        Some(event) => format!("sequence {sequence}  {}", subject(event)),
        None => format!("sequence {sequence}"),
    }];
    lines.extend(
        debugged
            .event
            .iter()
            .filter_map(|event| event.data.as_ref())
            .map(|data| format!("  data: {}", cut(&data.text()))),
    );
    lines.extend(debugged.before.as_deref().map(|before| match before {
        "live" => "  over the state as it stands, right before it".to_owned(),
        _ => format!("  over the state at sequence {}, built from the log for this", count(debugged.sequence - 1)),
    }));
    lines.extend(debugged.accesses.iter().map(|access| format!("  {}", done(access))));
    if debugged.accesses_left_out > 0 {
        lines.push(format!("  … {} more of these", count(debugged.accesses_left_out)));
    }
    if !debugged.output.is_empty() {
        lines.push(format!("  output:\n    {}", debugged.output.replace('\n', "\n    ")));
    }
    lines.push(format!("  {}", outcome(debugged)));
    let backtrace = debugged.failure.as_ref().and_then(|failure| failure.backtrace.as_deref());
    lines.extend(backtrace.map(|text| format!("  backtrace:\n    {}", text.replace('\n', "\n    "))));
    lines.join("\n")
}

fn subject(event: &DebuggedEvent) -> String {
    format!("{}  {} v{}", event.stream, event.event_type, event.schema_version)
}

fn done(access: &StateAccess) -> String {
    let StateAccess { action, key, value, bytes, after, entries, keys } = access;
    let value = match (value, bytes) {
        (Some(value), _) => cut(&value.text()),
        (None, Some(bytes)) => format!("({}, too long to be shown)", size(*bytes)),
        (None, None) => "nothing".to_owned(),
    };
    match action {
        Action::Read => format!("read {key} = {value}"),
        Action::Write => format!("wrote {key} = {value}"),
        Action::Delete => format!("deleted {key}"),
        Action::Scan => {
            let behind = after.as_ref().map_or_else(String::new, |after| format!(" behind {after:?}"));
            let found = entries.unwrap_or_default();
            let more = if found > keys.len() as u64 { " …" } else { "" };
            let list = if keys.is_empty() { String::new() } else { format!(": {}{more}", keys.join(", ")) };
            let entries = if found == 1 { "1 entry".to_owned() } else { format!("{} entries", count(found)) };
            format!("scanned {key:?}{behind}: {entries}{list}")
        }
    }
}

fn outcome(debugged: &Debugged) -> String {
    let used = format!("{} fuel, {}", count(debugged.fuel), size(debugged.memory_bytes));
    let since = debugged.set_aside_since.unwrap_or_default();
    let why = debugged.failure.as_ref().map_or_else(String::new, failure);
    match debugged.outcome {
        DebugOutcome::Folded => format!("folded: {used}"),
        DebugOutcome::Failed => format!("{why}: {used}"),
        DebugOutcome::NotLifted => format!("{why}; the projection's plugin is never handed it"),
        DebugOutcome::NotWanted => "the projection wants no such event; its plugin is never handed it".to_owned(),
        DebugOutcome::SetAside => {
            format!("set aside: its stream is in quarantine since sequence {}; `--at {since}` shows why", count(since))
        }
    }
}

fn failure(failure: &DebugFailure) -> String {
    let DebugFailure { is_verdict, kind, message, .. } = failure;
    let kind = if *is_verdict { kind.clone() } else { format!("{kind}, which says nothing of the event") };
    format!("failed: {kind}: {message}")
}

/// A text on one line of a length that people read.
fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({})", &text[..end], count_of(text.len() as u64, "byte")),
        None => text.to_owned(),
    }
}
