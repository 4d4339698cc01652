//! What ends a command, and its exit code.

use std::path::{Path, PathBuf};

use crate::cbor;
use crate::engine;
use crate::server::problem::{Code, Problem};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API's answer.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    #[error("{0}")]
    Backup(#[from] engine::BackupError),
    /// Another process has the directory and serves nobody.
    #[error("{0}")]
    InUse(engine::Error),
    /// No answer came, or only a part of one.
    #[error("{0}")]
    Broken(String),
    #[error("payload: {0}")]
    Payload(#[from] cbor::Error),
    #[error("{}: {source}", named(path))]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: {why}; the file is damaged or cut off", named(path))]
    Unreadable { path: PathBuf, why: String },
    #[error("{}:{line}: {why}", named(path))]
    BadTrace { path: PathBuf, line: u64, why: String },
    /// Standard output failed; closed means that whoever read it has enough.
    #[error("writing the output failed: {0}")]
    Output(std::io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("line {number}: {why}; nothing was imported (--skip-bad imports the other lines)")]
    BadLine { number: u64, why: String },
    #[error("{}: {}", named(path), problem.detail)]
    Plugin { path: PathBuf, problem: Box<Problem> },
    /// It is well-formed, but not what it should be.
    #[error("{0}")]
    Refused(String),
    #[error("an internal error; POLYFOLD_LOG=error shows it. Please report it")]
    Panic,
    /// A check found what it looked for.
    #[error("{0}")]
    Found(String),
    /// A program or package that a build needs is not on this machine.
    #[error("{0}")]
    Missing(String),
    /// Nothing is there under the name that was given.
    #[error("{0}")]
    NotFound(String),
    /// The work could not be brought to its end.
    #[error("{0}")]
    Incomplete(String),
}

/// A file's name on one line, whatever is in it.
pub(super) fn named(path: &Path) -> String {
    engine::one_line(&path.to_string_lossy())
}

impl Error {
    /// What opening the directory ended with.
    pub(super) fn of(error: engine::Error) -> Self {
        match error {
            engine::Error::InUse { .. } => Self::InUse(error),
            error => Self::Problem(Box::new(Problem::from(&error))),
        }
    }

    /// Which problem the API answered with, if it did.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) | Self::Plugin { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    /// A broken connection says what to do about it; every other error says so itself.
    pub(super) fn advised(self, advice: &str) -> Self {
        match self {
            Self::Broken(what) => Self::Broken(format!("{what}; {advice}")),
            other => other,
        }
    }

    /// The one place that knows exit codes; `polyfold --help` lists them.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Problem(problem) | Self::Plugin { problem, .. } => of_problem(problem.code),
            Self::Backup(error) => of_backup(error),
            Self::File { .. } | Self::Output(_) | Self::Incomplete(_) | Self::Broken(_) | Self::Panic => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Unreadable { .. } | Self::Refused(_) | Self::BadTrace { .. } => 4,
            Self::BadLine { .. } | Self::Payload(_) => 4,
            Self::Found(_) => 5,
            Self::InUse(_) => 6,
            Self::Missing(_) => 7,
        }
    }
}

fn of_backup(error: &engine::BackupError) -> u8 {
    use engine::BackupError as E;
    match error {
        E::File { .. } | E::DiskFull { .. } | E::BrokenOff(_) | E::Problem(_) | E::Log(_) | E::State(_) => 1,
        E::OneFile { .. } => 2,
        E::Empty { .. } | E::NoGeneration { .. } | E::EndsBefore { .. } | E::Compacted { .. } => 3,
        E::NotABackup { .. } | E::Exists { .. } | E::OtherFiles { .. } | E::OtherLog { .. } => 4,
        E::NewerFormat { .. } | E::NotEmpty { .. } | E::InTheWay { .. } | E::MountPoint { .. } => 4,
        E::Damaged { .. } => 5,
        E::InUse { .. } => 6,
    }
}

fn of_problem(code: Code) -> u8 {
    use Code as C;
    match code {
        C::Unauthorized | C::Forbidden | C::NoSuchRoute | C::MethodNotAllowed => 1,
        C::NotAcceptable | C::UnsupportedMediaType => 1,
        C::ProjectionUnavailable | C::NotReached | C::DiskFull | C::ShuttingDown | C::Busy | C::Internal => 1,
        C::InvalidRequest | C::InvalidParameters | C::AmbiguousPlugin => 2,
        C::UnknownPublisher
        | C::UnknownPlugin
        | C::UnknownProjection
        | C::UnknownView
        | C::UnknownKey
        | C::UnknownEvent
        | C::UnknownIdentity
        | C::UnknownSnapshot
        | C::UnknownToken => 3,
        C::NoOtherState => 3,
        C::TooLarge | C::Conflict | C::IdTaken | C::InvalidEvent | C::InvalidLine | C::InvalidReceipt => 4,
        C::UntrustedPlugin
        | C::PublisherExists
        | C::PluginRefused
        | C::PluginInUse
        | C::WrongKind
        | C::ProjectionExists => 4,
        C::NotCaughtUp | C::Compacted | C::SnapshotNeeded | C::RefusedByProjection | C::OtherBackup => 4,
        C::KeyMissing | C::StreamForgotten | C::NotErasable => 4,
        C::Damaged => 5,
    }
}
