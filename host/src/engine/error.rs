//! Everything that the engine can refuse or fail at, one variant for each thing a caller can do differently.

use std::path::PathBuf;

use super::upcasters::ChainError;
use crate::event::{DecodeError, Sequence, Why};
use crate::{cbor, log, plugin, state};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("data directory {} is in use by process {process}; wait until it is done, or use another --data-dir", dir.display())]
    InUse { dir: PathBuf, process: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: {problem}; restore the file from a copy, or move it away and install plugins and projections anew", path.display())]
    Catalogue { path: PathBuf, problem: String },
    #[error("{}: {why}; mend the file, or restore it from a copy", path.display())]
    Trust { path: PathBuf, why: String },
    #[error(transparent)]
    Signature(#[from] super::SignatureError),
    #[error(
        "{what} {why}, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` \
         shows who is trusted"
    )]
    Untrusted { what: String, why: String },
    #[error("{0}")]
    InvalidPublisher(String),
    #[error("publisher {0:?} is trusted already; remove it first, or choose another name")]
    PublisherExists(String),
    #[error(
        "key {key} is trusted already, as publisher {other:?}; remove that one first to give it another name or other bounds"
    )]
    KeyTrusted { other: String, key: super::KeyId },
    #[error("no publisher {0:?} is trusted; `polyfold trust list` shows those that are")]
    UnknownPublisher(String),
    #[error(transparent)]
    Refused(#[from] log::Refused),
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The commit failed that this append was part of, with others.
    #[error(transparent)]
    Commit(std::sync::Arc<log::Error>),
    #[error("the log's writer has stopped; open the data directory again")]
    WriterStopped,
    #[error(transparent)]
    State(#[from] state::Error),
    #[error(transparent)]
    Plugin(#[from] plugin::Error),
    #[error(transparent)]
    Load(#[from] plugin::LoadError),
    #[error(transparent)]
    NoPlugin(#[from] plugin::Refused),
    #[error("no plugin {0:?} is installed; `polyfold plugin list` shows those that are")]
    UnknownPlugin(String),
    #[error("{reference:?} fits several plugins: {candidates}; give more of the digest")]
    AmbiguousPlugin { reference: String, candidates: String },
    #[error("plugin {name:?} is {found}, but {wanted} is needed here")]
    WrongKind { name: String, found: &'static str, wanted: &'static str },
    #[error("plugin {plugin:?} is used by projection {projection:?}; delete the projection first")]
    PluginInUse { plugin: String, projection: String },
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("no projection {0:?}; `polyfold projection list` shows those that there are")]
    UnknownProjection(String),
    #[error("projection {0:?} exists already; delete it first, or choose another name")]
    ProjectionExists(String),
    #[error("projection {name:?} has no {wanted} state; `polyfold projection status {name}` shows what it has")]
    NoOtherState { name: String, wanted: &'static str },
    #[error(
        "projection {name:?}: the state that should serve is at sequence {checkpoint} of {head} and {state}; it can serve when it has caught up"
    )]
    NotCaughtUp { name: String, checkpoint: Sequence, head: Sequence, state: String },
    #[error(
        "the states cannot be replayed for a comparison: {reason}; try again, or compare without the first difference"
    )]
    NotCompared { reason: String },
    #[error("the log has no event {sequence}; it ends at {head}")]
    UnknownEvent { sequence: Sequence, head: Sequence },
    #[error(
        "the state of projection {name:?} does not come to event {wanted}, only to {reached}: {why}; try an event up to the one behind that"
    )]
    EndsBefore { name: String, wanted: Sequence, reached: Sequence, why: String },
    #[error("there is no state as of sequence {wanted}: the log ends at {head}")]
    BeyondHead { wanted: Sequence, head: Sequence },
    #[error("projection {name:?} has run nothing whose identity begins with {identity:?}; it has run {known}")]
    UnknownIdentity { name: String, identity: String, known: String },
    #[error(
        "projection {name:?} has no snapshot at sequence {sequence}; `polyfold projection snapshots {name}` lists them"
    )]
    UnknownSnapshot { name: String, sequence: Sequence },
    #[error(
        "the snapshot at sequence {sequence} is where the state of projection {name:?} can be begun now that payloads before \
         it were dropped; `polyfold projection snapshot {name}` takes another one, then it can be removed"
    )]
    SnapshotNeeded { name: String, sequence: Sequence },
    #[error("another run of retention is at it; wait until it is done")]
    RetentionRuns,
    #[error("nothing is dropped, because {blocked}; let it catch up, mend it, or abandon or delete it, and run again")]
    RetentionBlocked { blocked: super::Blocked },
    /// Says nothing of the event: the same may go well later.
    #[error("the state of projection {name:?} cannot be made beyond sequence {reached} now: {reason}; ask again")]
    AsOfStopped { name: String, reached: Sequence, reason: String },
    #[error("nobody waits for the state of projection {name:?} any more; its making was stopped at sequence {reached}")]
    AsOfCancelled { name: String, reached: Sequence },
    #[error("parameters must be a JSON object: {0}")]
    Parameters(String),
    #[error("projection {name:?} has no view {view:?}; it has {views}")]
    UnknownView { name: String, view: String, views: String },
    #[error("event {sequence} cannot be upcast by {upcaster}: {message}")]
    Upcast { sequence: Sequence, upcaster: String, message: String },
    #[error(
        "projection {name:?} is at sequence {checkpoint}, but the log ends at {head}: the log was replaced; run `polyfold projection rebuild {name}`"
    )]
    AheadOfLog { name: String, checkpoint: Sequence, head: Sequence },
    #[error(
        "projection {name:?} was made from another history of this log: the events up to its checkpoint {checkpoint} are not those in the log; run `polyfold projection rebuild {name}`"
    )]
    OtherHistory { name: String, checkpoint: Sequence },
    /// An append's own fault: nothing of it is written.
    #[error(
        "projection {projection:?} refuses the event that would be at sequence {sequence}: {kind}: {message}; nothing was appended"
    )]
    RefusedByProjection { projection: String, sequence: Sequence, kind: String, message: String },
    /// Says nothing of the append: the same may go well later.
    #[error(
        "projection {projection:?} is applied within each append and cannot be now ({reason}); try again, or delete the projection"
    )]
    ProjectionUnavailable { projection: String, reason: String },
    #[error("the disk is full: {free_bytes} bytes are free and {needed_bytes} are needed; make room and append again")]
    DiskFull { free_bytes: u64, needed_bytes: u64 },
    #[error(
        "a state of plugin {plugin} was made with upcaster {upcaster}, which is no longer installed; install it again, or `polyfold projection rebuild` what runs the plugin"
    )]
    UpcasterGone { plugin: String, upcaster: String },
    #[error(
        "{} is missing, but {} says that projections were made from it; restore the log, or use another --data-dir", log.display(), catalogue.display()
    )]
    LogMissing { log: PathBuf, catalogue: PathBuf },
    #[error(
        "{} is missing, but {} holds states of {projections}; restore the file from a copy, or move that folder away and install plugins and projections anew", catalogue.display(), states.display()
    )]
    CatalogueMissing { catalogue: PathBuf, states: PathBuf, projections: String },
    /// What it has so far is less than readers saw before.
    #[error(
        "projection {name:?}: its state was lost and is made anew from the log, now at sequence {sequence} of {until}: {why}; ask again when it is there"
    )]
    MadeAnew { name: String, sequence: Sequence, until: Sequence, why: String },
    #[error("reading the input failed: {0}")]
    Input(std::io::Error),
    #[error("the input changed while it was imported: line {}: {}; lines before it are in the log", .0.number, .0.why)]
    InputChanged(super::BadLine),
    #[error("event {sequence}: {source}; run `polyfold log verify`")]
    Envelope { sequence: Sequence, source: DecodeError },
    #[error("event {sequence} was compacted: the log has nothing of it but digests; an archive may have it")]
    EventFolded { sequence: Sequence },
    /// A state cannot be made, or made again, from what the log has.
    #[error("events {first} to {last} are wanted and were compacted, {why}")]
    Compacted { first: Sequence, last: Sequence, why: &'static str },
    #[error(
        "the state of the receipt cannot be made again: {events} events up to sequence {sequence} were erased, and it may \
         have been made with them"
    )]
    MadeBeforeErasure { events: u64, sequence: Sequence },
    #[error(
        "projection {name:?}: its state was made without {without} compacted events and would be made again without \
         {again_without}: no snapshot behind them is there to begin at, so the two cannot be compared"
    )]
    MadeOfOtherEvents { name: String, without: u64, again_without: u64 },
    #[error(
        "the payload of event {sequence} is {why}: the log does not have it any more; ask without the payload, its digest is there"
    )]
    PayloadDropped { sequence: Sequence, why: Why },
    #[error("category {category:?} cannot be encrypted: {why}")]
    Category { category: String, why: &'static str },
    #[error("{}: {problem}", path.display())]
    Keys { path: PathBuf, problem: String },
    #[error("the file of keys is not taken: {0}; nothing was changed")]
    KeyFile(String),
    #[error(
        "the key of stream {stream:?} is not here, and event {sequence} cannot be read without it: `polyfold keys import` takes it from an export, `polyfold forget` gives the stream up"
    )]
    KeyMissing { stream: String, sequence: Sequence },
    #[error("event {sequence} of stream {stream:?} is not what its key encrypted; run `polyfold log verify`")]
    NotOpened { stream: String, sequence: Sequence },
    #[error("stream {stream:?} was forgotten, and takes no new events; use another stream")]
    StreamForgotten { stream: String, id: crate::event::EventId },
    #[error("stream {stream:?} is of the host's own category, which nobody else appends to")]
    HostCategory { stream: String, id: crate::event::EventId },
    #[error("{0}")]
    Motive(String),
    #[error("{0}")]
    NotErasable(String),
    #[error("{}: {problem}; it says what was being erased when the host stopped: restore it from a copy, or move it away and erase again", path.display())]
    Erasing { path: PathBuf, problem: String },
    #[error("something was erased of what projection {0:?} is made of, and it is built anew; ask again")]
    ErasedMeanwhile(String),
    #[error("the slice has more than {max} {unit}, and a trace holds no more; narrow it by since, to or limit")]
    TraceTooLarge { max: usize, unit: &'static str },
    /// Says nothing of the event: the same may go well later.
    #[error("the plugin could not go on at sequence {sequence}, which is no verdict on the event: {reason}")]
    TraceStopped { sequence: Sequence, reason: String },
    #[error("the backup does not fit this log: {0}; back up into another directory")]
    OtherBackup(String),
    #[error("payload: {0}")]
    Payload(#[from] cbor::Error),
    #[error("{}: {problem}", path.display())]
    HostKey { path: PathBuf, problem: String },
    #[error(transparent)]
    Document(#[from] super::InvalidDocument),
    /// Says nothing of the receipt: the same may go well later.
    #[error("the check could not go on at sequence {sequence}, which is no verdict on the receipt: {reason}")]
    CheckStopped { sequence: Sequence, reason: String },
}

impl Error {
    /// Whether it is an archive that cannot be read, or is not there.
    pub(super) fn is_of_archive(&self) -> bool {
        matches!(self, Self::Log(log::Error::Archive { .. }) | Self::EventFolded { .. } | Self::Compacted { .. })
    }

    /// Whether the disk has no room for what was to be written: nothing else is wrong, and the same goes well later.
    pub fn is_disk_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match self {
            Self::DiskFull { .. } => true,
            Self::Log(error) => error.is_disk_full(),
            Self::Commit(error) => error.is_disk_full(),
            Self::State(error) => error.is_disk_full(),
            Self::Plugin(plugin::Error::Io { source, .. }) | Self::File { source, .. } => {
                matches!(source.kind(), FileTooLarge | QuotaExceeded | StorageFull)
            }
            _ => false,
        }
    }

    /// Wraps what went wrong with a file.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
