//! How a plugin fails: what a call comes back with, and why a plugin is not loaded.

use std::time::Duration;

use wasmtime::{Trap, WasmBacktrace};

use super::host::{Host, Stop};
use super::{Error, InvalidManifest, Refused};

/// How a call of a plugin failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The plugin answered with an error.
    #[error("it says: {message}")]
    Error { message: String },
    /// The plugin broke off; the backtrace has a line for each frame, innermost first.
    #[error("it trapped: {message}")]
    Trap { message: String, backtrace: String },
    #[error("it used up its fuel of {budget}")]
    OutOfFuel { budget: u64 },
    #[error("it needs more than its {limit} bytes of memory")]
    OutOfMemory { limit: usize },
    #[error("{message}")]
    Limit { message: String },
    /// The plugin answered with something that cannot be.
    #[error("{message}")]
    WrongAnswer { message: String },
    #[error("it ran longer than {} seconds", deadline.as_secs_f64())]
    Deadline { deadline: Duration },
    /// How deep a call can go depends on the compiler's frames, so this is no verdict on the event.
    #[error("it recursed too deeply: the call stack is exhausted")]
    StackOverflow,
    /// The host's own failure, the plugin is not to blame.
    #[error("the host failed: {message}")]
    Host { message: String },
}

impl Failure {
    /// What the plugin answered, if it chose to fail.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Error { message } => Some(message),
            Self::Trap { .. }
            | Self::OutOfFuel { .. }
            | Self::OutOfMemory { .. }
            | Self::Limit { .. }
            | Self::WrongAnswer { .. }
            | Self::Deadline { .. }
            | Self::StackOverflow
            | Self::Host { .. } => None,
        }
    }

    /// Whether it can be due to one event of a batch, so that the others may go well without it.
    pub fn may_be_of_one_event(&self) -> bool {
        match self {
            Self::Error { .. }
            | Self::Trap { .. }
            | Self::OutOfFuel { .. }
            | Self::OutOfMemory { .. }
            | Self::Limit { .. }
            | Self::WrongAnswer { .. }
            | Self::Deadline { .. }
            | Self::StackOverflow => true,
            Self::Host { .. } => false,
        }
    }

    /// Whether the same call fails in the same way on every machine. Only then is it a verdict on the event.
    pub fn is_deterministic(&self) -> bool {
        match self {
            Self::Error { .. }
            | Self::Trap { .. }
            | Self::OutOfFuel { .. }
            | Self::OutOfMemory { .. }
            | Self::Limit { .. }
            | Self::WrongAnswer { .. } => true,
            Self::Deadline { .. } | Self::StackOverflow | Self::Host { .. } => false,
        }
    }
}

/// Why a plugin is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be asked what it is.
    #[error("the plugin cannot describe itself: {0}")]
    Describe(Failure),
    #[error("the plugin's manifest is not valid: {0}")]
    Manifest(#[from] InvalidManifest),
    #[error(transparent)]
    Host(#[from] Error),
}

/// Where a call was when it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Instantiate,
    Run,
}

/// Reads what became of a call from the error that ended it.
pub(super) fn classify(error: &wasmtime::Error, phase: Phase, host: &Host) -> Failure {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop.clone() {
            Stop::Limit(message) => Failure::Limit { message },
            Stop::Misuse(message) => Failure::Trap { message, backtrace: backtrace(error) },
            Stop::Host(message) => Failure::Host { message },
        };
    }
    let trap = error.downcast_ref::<Trap>();
    match trap {
        Some(Trap::OutOfFuel) => return Failure::OutOfFuel { budget: host.limits.fuel_per_event },
        Some(Trap::StackOverflow) => return Failure::StackOverflow,
        Some(Trap::Interrupt) => return Failure::Deadline { deadline: host.limits.deadline },
        Some(_) | None => {}
    }
    if host.meter.refused() {
        return Failure::OutOfMemory { limit: host.limits.memory_bytes };
    }
    let message = error.root_cause().to_string();
    if trap.is_none() && phase == Phase::Instantiate {
        // What a plugin can do wrong here is a trap or was refused by the limiter. What is left is the machine's:
        // no address space, no memory.
        return Failure::Host { message: format!("cannot make an instance: {message}") };
    }
    let message = message.strip_prefix("wasm trap: ").unwrap_or(&message).to_owned();
    Failure::Trap { message, backtrace: backtrace(error) }
}

/// The frames as wasmtime shows them (functions by name, demangled), without its heading.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let text = backtrace.to_string();
    let frames = text.lines().map(str::trim_start).filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    frames.collect::<Vec<_>>().join("\n")
}
