//! Errors on the wire: RFC 9457 problem details, and the one place that knows which status each kind has.

use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::{Error, LogError, PluginError, Refused, StateError};

/// What went wrong, for programs. The status and the command line's exit code follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The request cannot be read: its path, query, headers or body.
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NoSuchRoute,
    MethodNotAllowed,
    NotAcceptable,
    UnsupportedMediaType,
    TooLarge,
    /// A stream is not at the version that an append expects.
    Conflict,
    IdTaken,
    InvalidEvent,
    InvalidLine,
    InvalidParameters,
    /// It is no receipt and no proof.
    InvalidReceipt,
    UnknownPlugin,
    AmbiguousPlugin,
    PluginRefused,
    PluginInUse,
    /// A plugin's signature does not hold, or is not the one that is required.
    UntrustedPlugin,
    UnknownPublisher,
    PublisherExists,
    WrongKind,
    UnknownProjection,
    ProjectionExists,
    UnknownView,
    UnknownKey,
    UnknownEvent,
    UnknownIdentity,
    UnknownSnapshot,
    UnknownToken,
    /// There is nothing that is being built, or that served before.
    NoOtherState,
    NotCaughtUp,
    /// A state can be begun nowhere else.
    SnapshotNeeded,
    /// Events are wanted whose payloads were compacted, and no archive has them, or none may be read.
    Compacted,
    /// A backup cannot go on from this log: it is of another one, or of another history of it.
    OtherBackup,
    /// What is asked for is encrypted, and its key is not here.
    KeyMissing,
    /// What should be erased cannot be, or not so.
    NotErasable,
    /// The stream's key was deleted: it takes no new events.
    StreamForgotten,
    /// A sync projection cannot take an event, so the append is refused.
    RefusedByProjection,
    /// A sync projection cannot follow at present, so no append is taken.
    ProjectionUnavailable,
    /// A state did not reach `min_sequence` in time, or cannot.
    NotReached,
    DiskFull,
    ShuttingDown,
    Busy,
    Damaged,
    Internal,
}

impl Code {
    /// The one match from kind to HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NoSuchRoute
            | Self::UnknownPlugin
            | Self::UnknownPublisher
            | Self::UnknownProjection
            | Self::UnknownView
            | Self::UnknownKey
            | Self::UnknownEvent
            | Self::UnknownIdentity
            | Self::UnknownSnapshot
            | Self::UnknownToken => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::Conflict
            | Self::IdTaken
            | Self::AmbiguousPlugin
            | Self::PluginInUse
            | Self::PublisherExists
            | Self::WrongKind
            | Self::ProjectionExists
            | Self::NoOtherState
            | Self::OtherBackup
            | Self::Compacted
            | Self::SnapshotNeeded
            | Self::KeyMissing
            | Self::NotErasable
            | Self::StreamForgotten
            | Self::NotCaughtUp => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::InvalidEvent
            | Self::InvalidLine
            | Self::InvalidParameters
            | Self::InvalidReceipt
            | Self::PluginRefused
            | Self::UntrustedPlugin
            | Self::RefusedByProjection => 422,
            Self::Damaged | Self::Internal => 500,
            Self::ProjectionUnavailable | Self::ShuttingDown | Self::Busy => 503,
            Self::NotReached => 504,
            Self::DiskFull => 507,
        }
    }
}

/// An RFC 9457 problem. `code` and the members below it are extensions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    pub problem_type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    /// The stream whose version is not the one expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The version that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// The event concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The line concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        Self {
            problem_type: "about:blank".to_owned(),
            title: title.unwrap_or_default().to_owned(),
            status,
            detail: detail.into(),
            code,
            stream: None,
            expected: None,
            found: None,
            sequence: None,
            line: None,
        }
    }

    pub(super) fn bad_line(number: u64, why: &str) -> Self {
        Self { line: Some(number), ..Self::new(Code::InvalidLine, format!("line {number}: {why}")) }
    }
}

impl IntoResponse for Problem {
    /// As JSON; the router's outermost layer makes CBOR of it where that is asked for.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        (status, headers, Extension(self), body).into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        Self::from(&Error::from(error))
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        Self::from(&Error::from(error))
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let problem = Self::new(code_of(error), error.to_string());
        match error {
            Error::Refused(Refused::Conflict { stream, expected, found }) => Self {
                stream: Some(stream.to_string()),
                expected: Some(expected.to_string()),
                found: Some(found.0),
                ..problem
            },
            Error::Refused(Refused::IdTaken { sequence, .. })
            | Error::Upcast { sequence, .. }
            | Error::Envelope { sequence, .. }
            | Error::TraceStopped { sequence, .. }
            | Error::CheckStopped { sequence, .. }
            | Error::UnknownEvent { sequence, .. }
            | Error::EventFolded { sequence }
            | Error::KeyMissing { sequence, .. }
            | Error::NotOpened { sequence, .. }
            | Error::PayloadDropped { sequence, .. }
            | Error::RefusedByProjection { sequence, .. } => Self { sequence: Some(sequence.0), ..problem },
            Error::InputChanged(bad) => Self::bad_line(bad.number, &bad.why),
            _ => problem,
        }
    }
}

/// The one match from what the engine refuses or fails at to the kind that programs see.
fn code_of(error: &Error) -> Code {
    use Error as E;
    if error.is_disk_full() {
        return Code::DiskFull;
    }
    match error {
        E::Refused(Refused::Conflict { .. }) => Code::Conflict,
        E::Refused(Refused::IdTaken { .. }) => Code::IdTaken,
        E::Refused(Refused::Invalid { .. }) | E::Payload(_) => Code::InvalidEvent,
        E::Refused(Refused::TooManyEvents { .. } | Refused::TooLarge { .. }) => Code::TooLarge,
        E::Log(error) => of_log(error),
        E::Commit(error) => of_log(error),
        E::State(StateError::Unusable { .. } | StateError::Snapshots { .. })
        | E::Plugin(PluginError::Damaged { .. })
        | E::OtherHistory { .. }
        | E::LogMissing { .. }
        | E::CatalogueMissing { .. }
        | E::Catalogue { .. }
        | E::HostKey { .. }
        | E::Trust { .. }
        | E::Keys { .. }
        | E::Erasing { .. }
        | E::NotOpened { .. }
        | E::Envelope { .. }
        | E::AheadOfLog { .. } => Code::Damaged,
        E::Plugin(PluginError::Missing { .. }) | E::UpcasterGone { .. } | E::UnknownPlugin(_) => Code::UnknownPlugin,
        E::Plugin(PluginError::TooLarge { .. }) => Code::TooLarge,
        E::Plugin(PluginError::Io { .. } | PluginError::Engine(_))
        | E::State(StateError::Storage { .. })
        | E::File { .. } => Code::Internal,
        // The plugins answer for it, and not the host.
        E::Upcast { .. } => Code::InvalidEvent,
        E::Load(_) | E::NoPlugin(_) | E::Chain(_) => Code::PluginRefused,
        E::Signature(_) | E::Untrusted { .. } => Code::UntrustedPlugin,
        E::InvalidPublisher(_) => Code::InvalidRequest,
        E::PublisherExists(_) | E::KeyTrusted { .. } => Code::PublisherExists,
        E::UnknownPublisher(_) => Code::UnknownPublisher,
        E::AmbiguousPlugin { .. } => Code::AmbiguousPlugin,
        E::WrongKind { .. } => Code::WrongKind,
        E::PluginInUse { .. } => Code::PluginInUse,
        E::UnknownProjection(_) => Code::UnknownProjection,
        E::ProjectionExists(_) => Code::ProjectionExists,
        E::NoOtherState { .. } => Code::NoOtherState,
        E::Compacted { .. } | E::MadeOfOtherEvents { .. } | E::MadeBeforeErasure { .. } => Code::Compacted,
        E::RetentionBlocked { .. } => Code::NotCaughtUp,
        E::SnapshotNeeded { .. } => Code::SnapshotNeeded,
        E::RetentionRuns => Code::Busy,
        E::NotCaughtUp { .. } | E::EndsBefore { .. } => Code::NotCaughtUp,
        E::DiskFull { .. } => Code::DiskFull,
        E::OtherBackup(_) => Code::OtherBackup,
        E::Category { .. } | E::KeyFile(_) | E::Motive(_) => Code::InvalidRequest,
        E::NotErasable(_) => Code::NotErasable,
        E::ErasedMeanwhile(_) => Code::Busy,
        E::KeyMissing { .. } => Code::KeyMissing,
        E::StreamForgotten { .. } => Code::StreamForgotten,
        E::HostCategory { .. } => Code::InvalidEvent,
        E::Parameters(_) => Code::InvalidParameters,
        E::UnknownView { .. } => Code::UnknownView,
        E::UnknownEvent { .. } | E::BeyondHead { .. } | E::EventFolded { .. } | E::PayloadDropped { .. } => {
            Code::UnknownEvent
        }
        E::UnknownIdentity { .. } => Code::UnknownIdentity,
        E::UnknownSnapshot { .. } => Code::UnknownSnapshot,
        E::Document(_) => Code::InvalidReceipt,
        E::RefusedByProjection { .. } => Code::RefusedByProjection,
        E::ProjectionUnavailable { .. } | E::MadeAnew { .. } => Code::ProjectionUnavailable,
        E::Input(_) | E::TraceTooLarge { .. } => Code::InvalidRequest,
        E::InputChanged(_) => Code::InvalidLine,
        E::NotCompared { .. }
        | E::TraceStopped { .. }
        | E::CheckStopped { .. }
        | E::AsOfStopped { .. }
        | E::AsOfCancelled { .. }
        | E::InUse { .. }
        | E::WriterStopped => Code::Busy,
    }
}

fn of_log(error: &LogError) -> Code {
    match error {
        LogError::NotALog { .. } | LogError::Damaged { .. } | LogError::Archive { .. } => Code::Damaged,
        LogError::InUse { .. } => Code::Busy,
        LogError::InFolded { .. } => Code::UnknownEvent,
        LogError::NoRoom { .. } => Code::DiskFull,
        LogError::NotArchived { .. } => Code::Compacted,
        LogError::NewerFormat { .. } | LogError::NoFile | LogError::Storage(_) => Code::Internal,
    }
}
