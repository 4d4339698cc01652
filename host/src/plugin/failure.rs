//! How a plugin fails: what a call comes back with, and why a plugin is not loaded.

use std::fmt;
use std::time::Duration;

use wasmtime::{OutOfMemory, Trap, WasmBacktrace};

use super::host::{Host, Stop};
use super::{Error, InvalidManifest, Refused};

/// How a call of a plugin failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same call fails in the same way on every machine.
    #[error(transparent)]
    Verdict(#[from] Verdict),
    /// The same call may go well another time.
    #[error(transparent)]
    Mishap(#[from] Mishap),
}

/// A deterministic failure: a judgement on the event, if the call was for one alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: VerdictKind,
    /// What the plugin answered, how it trapped, or what it went beyond.
    pub message: String,
    /// Where in the plugin it happened, if wasmtime knows: a line for each frame, innermost first.
    pub backtrace: Option<String>,
}

/// What a plugin did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// It answered with an error.
    Error,
    /// It broke off.
    Trap,
    /// It used up what fuel there is for one event.
    OutOfFuel,
    /// It wanted more memory than it may have, and broke off.
    OutOfMemory,
    /// It went beyond another limit.
    Limit,
    /// It answered with something that cannot be.
    WrongAnswer,
}

/// A failure that says nothing of the event: the way out is to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mishap {
    /// How far a call comes in a time depends on the machine and on what else it does.
    #[error("it ran longer than {} seconds", deadline.as_secs_f64())]
    Deadline { deadline: Duration },
    /// How deep a call can go depends on the compiler's frames.
    #[error("it recursed too deeply: the call stack is exhausted")]
    StackOverflow,
    /// The host's own failure, the plugin is not to blame.
    #[error("the host failed: {message}")]
    Host { message: String },
}

impl Failure {
    /// The verdict, if it is one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Verdict(verdict) => Some(verdict),
            Self::Mishap(_) => None,
        }
    }

    /// Whether it can be due to one event of a batch, so that the others may go well without it.
    pub fn may_be_of_one_event(&self) -> bool {
        match self {
            Self::Verdict(_) | Self::Mishap(Mishap::Deadline { .. } | Mishap::StackOverflow) => true,
            Self::Mishap(Mishap::Host { .. }) => false,
        }
    }
}

impl Verdict {
    /// Without a backtrace: the plugin had returned.
    pub(super) fn new(kind: VerdictKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), backtrace: None }
    }

    pub(super) fn out_of_fuel(budget: u64) -> Self {
        Self::new(VerdictKind::OutOfFuel, format!("it used up its fuel of {budget}"))
    }

    /// What the plugin answered, if it chose to fail.
    pub fn said(&self) -> Option<&str> {
        match self.kind {
            VerdictKind::Error => Some(&self.message),
            VerdictKind::Trap
            | VerdictKind::OutOfFuel
            | VerdictKind::OutOfMemory
            | VerdictKind::Limit
            | VerdictKind::WrongAnswer => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match self.kind {
            VerdictKind::Error => write!(f, "it says: {message}"),
            VerdictKind::Trap => write!(f, "it trapped: {message}"),
            VerdictKind::OutOfFuel | VerdictKind::OutOfMemory | VerdictKind::Limit | VerdictKind::WrongAnswer => {
                f.write_str(message)
            }
        }
    }
}

impl std::error::Error for Verdict {}

impl VerdictKind {
    /// Its name in records and for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Trap => "trap",
            Self::OutOfFuel => "out-of-fuel",
            Self::OutOfMemory => "out-of-memory",
            Self::Limit => "limit",
            Self::WrongAnswer => "wrong-answer",
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
pub(super) fn classify(error: &wasmtime::Error, phase: Phase, host: &Host, deadline: Duration) -> Failure {
    let verdict = |kind, message: String| Failure::Verdict(Verdict { kind, message, backtrace: backtrace(error) });
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop.clone() {
            Stop::Limit(message) => verdict(VerdictKind::Limit, message),
            Stop::Misuse(message) => verdict(VerdictKind::Trap, message),
            Stop::OutOfFuel => out_of_fuel(error, host),
            Stop::Host(message) => Mishap::Host { message }.into(),
        };
    }
    if error.is::<OutOfMemory>() {
        return Mishap::Host { message: "no memory for a call".to_owned() }.into();
    }
    let trap = error.downcast_ref::<Trap>();
    match trap {
        Some(Trap::OutOfFuel) => return out_of_fuel(error, host),
        Some(Trap::StackOverflow) => return Mishap::StackOverflow.into(),
        Some(Trap::Interrupt) => return Mishap::Deadline { deadline }.into(),
        Some(_) | None => {}
    }
    if host.meter.refused() {
        let message = format!("it needs more than its {} bytes of memory", host.limits.memory_bytes);
        return verdict(VerdictKind::OutOfMemory, message);
    }
    let message = error.root_cause().to_string();
    if trap.is_none() && phase == Phase::Instantiate {
        // What a plugin can do wrong here is a trap or was refused by the limiter. What is left is the machine's:
        // no address space, no memory.
        return Mishap::Host { message: format!("cannot make an instance: {message}") }.into();
    }
    verdict(VerdictKind::Trap, message.strip_prefix("wasm trap: ").unwrap_or(&message).to_owned())
}

fn out_of_fuel(error: &wasmtime::Error, host: &Host) -> Failure {
    Verdict { backtrace: backtrace(error), ..Verdict::out_of_fuel(host.limits.fuel_per_event) }.into()
}

/// The frames as wasmtime shows them (functions by name, demangled), without its heading.
fn backtrace(error: &wasmtime::Error) -> Option<String> {
    let text = error.downcast_ref::<WasmBacktrace>()?.to_string();
    let frames = text.lines().map(str::trim_start).filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let frames = frames.collect::<Vec<_>>().join("\n");
    Some(frames).filter(|frames| !frames.is_empty())
}
