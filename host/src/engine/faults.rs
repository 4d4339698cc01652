//! Faults: what is recorded of a plugin's failure on one event.

use std::fmt::Write;

use crate::event::{Digest, EventRef};
use crate::plugin::{Failure, LogLevel, Output};
use crate::state::Fault;

/// What is recorded of a projection's failure.
pub(super) fn of_projection(event: EventRef<'_>, plugin: Digest, failure: &Failure, output: &Output) -> Fault {
    Fault {
        sequence: event.sequence.0,
        stream: event.stream.to_owned(),
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version.0,
        plugin: plugin.to_string(),
        kind: kind(failure).to_owned(),
        message: cut(failure.to_string()),
        backtrace: backtrace(failure),
        output: text(output),
    }
}

/// What is recorded of an upcaster's failure.
pub(super) fn of_upcaster(failed: &super::UpcastFault) -> Fault {
    Fault {
        sequence: failed.sequence.0,
        stream: failed.stream.clone(),
        event_type: failed.event_type.clone(),
        schema_version: failed.schema_version.0,
        plugin: failed.upcaster.to_string(),
        kind: kind(&failed.failure).to_owned(),
        message: cut(format!("upcaster {}: {}", failed.name, failed.failure)),
        backtrace: backtrace(&failed.failure),
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

/// The failure's name in records and for programs.
pub(super) fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Error { .. } => "error",
        Failure::Trap { .. } => "trap",
        Failure::OutOfFuel { .. } => "out-of-fuel",
        Failure::OutOfMemory { .. } => "out-of-memory",
        Failure::Limit { .. } => "limit",
        Failure::WrongAnswer { .. } => "wrong-answer",
        Failure::Deadline { .. } => "deadline",
        Failure::StackOverflow => "stack-overflow",
        Failure::Host { .. } => "host",
    }
}

pub(super) fn backtrace(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Trap { backtrace, .. } if !backtrace.is_empty() => Some(cut(backtrace.clone())),
        Failure::Trap { .. }
        | Failure::Error { .. }
        | Failure::OutOfFuel { .. }
        | Failure::OutOfMemory { .. }
        | Failure::Limit { .. }
        | Failure::WrongAnswer { .. }
        | Failure::Deadline { .. }
        | Failure::StackOverflow
        | Failure::Host { .. } => None,
    }
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
