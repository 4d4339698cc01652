//! What ends a command, and its exit code.

use crate::engine::{self, LogError, PluginError, StateError};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Engine(#[from] engine::Error),
    #[error("{}: {source}", path.display())]
    File { path: std::path::PathBuf, source: std::io::Error },
    /// Standard output failed; closed means that whoever read it has enough.
    #[error("writing the output failed: {0}")]
    Output(std::io::Error),
    #[error("projection {projection:?} has no entry {key:?}")]
    NoEntry { projection: String, key: String },
    #[error("line {number}: {why}; nothing was imported (--skip-bad imports the other lines)")]
    BadLine { number: u64, why: String },
    #[error("{}: {error}", path.display())]
    Plugin { path: std::path::PathBuf, error: Box<engine::Error> },
    /// A check found what it looked for.
    #[error("{0}")]
    Found(String),
    /// The work could not be brought to its end.
    #[error("{0}")]
    Incomplete(String),
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        Self::Engine(error.into())
    }
}

impl Error {
    /// The one place that knows exit codes; `polyfold --help` lists them.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Engine(error) => of_engine(error),
            Self::Plugin { error, .. } => of_engine(error),
            Self::File { .. } | Self::Output(_) | Self::Incomplete(_) => 1,
            Self::NoEntry { .. } => 3,
            Self::BadLine { .. } => 4,
            Self::Found(_) => 5,
        }
    }
}

fn of_engine(error: &engine::Error) -> u8 {
    use engine::Error as E;
    match error {
        E::Log(error) => of_log(error),
        E::Commit(error) => of_log(error),
        E::Plugin(PluginError::Damaged { .. }) => 5,
        E::File { .. } | E::WriterStopped | E::Plugin(_) | E::Upcast { .. } | E::Input(_) => 1,
        E::State(StateError::Storage { .. }) => 1,
        E::AmbiguousPlugin { .. } | E::Parameters(_) => 2,
        E::UnknownPlugin(_) | E::UnknownProjection(_) | E::UnknownView { .. } => 3,
        E::Refused(_) | E::Load(_) | E::NoPlugin(_) | E::Chain(_) | E::Payload(_) | E::InputChanged(_) => 4,
        E::PluginInUse { .. } | E::ProjectionExists(_) | E::WrongKind { .. } => 4,
        E::Catalogue { .. } | E::Envelope { .. } | E::AheadOfLog { .. } => 5,
        E::State(StateError::Unusable { .. }) => 5,
        E::InUse { .. } => 6,
    }
}

fn of_log(error: &LogError) -> u8 {
    match error {
        LogError::NewerFormat { .. } | LogError::Storage(_) | LogError::Reopen(_) => 1,
        LogError::NotALog { .. } | LogError::Damaged { .. } => 5,
        LogError::InUse { .. } => 6,
    }
}
