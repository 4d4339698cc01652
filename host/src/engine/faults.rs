//! Faults: what is recorded of a plugin's failure on one event.

use std::fmt::Write;

use super::UpcastFault;
use crate::event::{Digest, EventRef};
use crate::plugin::{LogLevel, Output, Verdict};
use crate::state::Fault;

/// What ran when it happened.
pub(super) struct Ran<'a> {
    /// The projection.
    pub(super) plugin: Digest,
    /// The upcasters in force for it.
    pub(super) upcasters: &'a [String],
    /// What the call used.
    pub(super) fuel: u64,
    pub(super) output: &'a Output,
}

/// What is recorded of a projection's failure.
pub(super) fn of_projection(event: EventRef<'_>, verdict: &Verdict, ran: &Ran<'_>) -> Fault {
    Fault {
        sequence: event.sequence.0,
        stream: event.stream.to_owned(),
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version.0,
        plugin: ran.plugin.to_string(),
        upcasters: ran.upcasters.to_vec(),
        kind: verdict.kind.as_str().to_owned(),
        message: cut(verdict.to_string()),
        backtrace: backtrace(verdict),
        fuel: ran.fuel,
        output: text(ran.output),
    }
}

/// What is recorded of an upcaster's failure.
pub(super) fn of_upcaster(failed: &UpcastFault, verdict: &Verdict, upcasters: &[String]) -> Fault {
    Fault {
        sequence: failed.sequence.0,
        stream: failed.stream.clone(),
        event_type: failed.event_type.clone(),
        schema_version: failed.schema_version.0,
        plugin: failed.upcaster.to_string(),
        upcasters: upcasters.to_vec(),
        kind: verdict.kind.as_str().to_owned(),
        message: cut(format!("upcaster {}: {verdict}", failed.name)),
        backtrace: backtrace(verdict),
        fuel: failed.fuel,
        output: text(&failed.output),
    }
}

/// 16 KiB of a message and of a backtrace: more than people read, too little to fill a disk with an event that fails.
const TEXT_BYTES_MAX: usize = 16 << 10;

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        text.push('…');
    }
    text
}

pub(super) fn backtrace(verdict: &Verdict) -> Option<String> {
    verdict.backtrace.clone().map(cut)
}

/// What the plugin logged and printed, as one text.
pub(super) fn text(output: &Output) -> String {
    let mut text = String::new();
    for message in &output.log {
        writeln!(text, "{}: {}", level(message.level), message.text).expect("writing to memory cannot fail");
    }
    for (bytes, dropped) in [(&output.stdout, output.stdout_dropped), (&output.stderr, output.stderr_dropped)] {
        text.push_str(&String::from_utf8_lossy(bytes));
        if dropped > 0 {
            writeln!(text, "… {dropped} more bytes").expect("writing to memory cannot fail");
        }
    }
    if output.log_dropped > 0 {
        writeln!(text, "… {} more messages", output.log_dropped).expect("writing to memory cannot fail");
    }
    text.truncate(text.trim_end().len());
    text
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
