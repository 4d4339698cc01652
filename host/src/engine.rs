//! The engine: joins log, plugins and states into the whole program. Control goes down by calls, data comes up by values.
//!
//! ```text
//! data directory
//! ├── lock              held by the one process that has the directory open, with its process id
//! ├── log.redb          the event log
//! ├── log.tree          roots of its event tree; safe to delete
//! ├── host-key          the key that signs receipts, for its owner only
//! ├── catalogue.json    which plugins are installed and which projections run, with a checksum
//! ├── retention.json    what the runs of retention did, with a checksum
//! ├── archive/          the blocks of the log whose payloads were dropped
//! ├── encryption.json   which categories are encrypted, with a checksum
//! ├── keys/             the keys of their streams, for their owner only
//! ├── erasing.json      what is being erased, while it is
//! ├── trust.toml        which publishers' signatures count, and whether one is required
//! ├── plugins/          plugin files by digest
//! ├── cache/            compiled plugins; safe to delete
//! ├── projections/      NAME/IDENTITY.redb, one state each; IDENTITY.redb.damaged, one that was set aside;
//! │                     NAME/snapshots.redb, earlier states: safe to delete while nobody has the directory open
//! ├── socket            where a host is listening, while there is one (the server's)
//! └── tokens.json       the digests of bearer tokens, with a checksum (the server's)
//! ```

mod append;
mod archive;
mod asof;
mod backup;
mod catalogue;
mod code;
mod compare;
mod debug;
mod dropped;
mod duration;
mod erasure;
mod error;
mod explain;
mod faults;
mod feed;
mod head;
mod hub;
mod identity;
mod import;
mod intake;
mod journal;
mod keep;
mod key;
mod keys;
mod lock;
mod metrics;
mod operate;
mod outlet;
mod patience;
mod plugins;
mod portion;
mod probe;
mod prober;
mod progress;
mod quarantine;
mod quota;
mod reading;
mod receipt;
mod recent;
mod redrive;
mod render;
mod replay;
mod retention;
mod running;
pub mod sealed;
mod share;
mod shown;
mod signature;
mod sizing;
mod small;
mod snapshots;
mod source;
mod space;
mod states;
mod status;
mod sync;
mod trace;
mod trust;
mod upcasters;
mod upgrade;
mod verify;
mod worker;

pub use append::Ticket;
pub use asof::{AsOf, InvalidMoment, KeyValue, KeyValues, Moment, Origin, Past, Waiting};
pub use backup::{
    BackupError, BackupRequest, BackupWriter, Generation, HostKeyToo, Keep as KeepGenerations, KnownSnapshots,
    KnownState, LastBlock, MEDIA_TYPE as BACKUP_STREAM, Made as MadeBackup, Part, Reached, Restore, Restored,
    SavedFile, SavedLog, SavedPlugin, SavedSnapshots, SavedState, Shape as BackupShape, Since, Until, VerifiedBackup,
    list_backup, problem_frame, verify_backup,
};
pub use catalogue::{FaultPolicy, InstalledPlugin, PluginKind, Projection, Source};
pub use compare::{CompareOptions, Comparison, Differing, FirstDifference, Side};
pub use debug::{Access, Before, Debugged, Failed as DebuggedFailure, Found, Ran, Subject as DebuggedEvent, Value};
pub use dropped::DroppedPolicy;
pub use duration::duration;
pub use erasure::{Forgotten, Motive, Redacted};
pub use error::Error;
pub use explain::{COSTLY_EVENTS_MAX, CostlyEvent, Explained};
pub use head::HeadWatch;
pub use identity::Deployment;
pub use import::{BadLine, Imported, Watch};
pub use intake::{InvalidLine, event_from_json, new_id};
pub use journal::{Commit, Journal, Journalled, Position};
pub use keep::Keep;
pub use keys::{HOST_CATEGORY, ImportedKeys, KeyInfo, LogReader};
pub use metrics::{Histogram, Metrics};
pub use operate::NewProjection;
pub use plugins::{Installed, Offer};
pub use progress::{Phase, Progress};
pub use quota::Quota;
pub use reading::{Reach, Snapshot};
pub use receipt::{
    Aspect, Check, DOCUMENT_BYTES_MAX, Document, InvalidDocument, InvalidKey, LogReceipt, ProvedEntry, ProvedEvent,
    ProvedValue, PublicKey, Receipt, Refusal, StateReceipt, check_document,
};
pub use redrive::Which;
pub use render::event_to_json;
pub use retention::{
    Blocked, Candidate, Group, LastRun, Plan, Planned, Policy, Quiet, Rule, RunCounts, Step as RetentionStep, Verdict,
};
pub use share::{InvalidShare, Share};
pub use shown::{brief, is_order, one_line};
#[cfg(test)]
pub(crate) use signature::tests::Pair;
pub use signature::{KeyId, SIGNATURE_BYTES_MAX, SignatureError};
pub use sizing::Sizing;
pub use small::{SmallFileError, read_small};
pub use snapshots::SnapshotInfo;
pub use status::{StateStatus, Status};
#[cfg(test)]
pub(crate) use sync::tests::guests;
pub use trace::{
    BadTrace, Bench, CUTS_MAX, CutDifference, Difference as TraceDifference, Failed, Folded, Lift, Made, Setup, Shape,
    Slice, Subject, TRACE_BYTES_MAX, TRACE_EVENTS_MAX, Tested, Trace, TraceBatch,
};
pub use trust::{PluginSignature, Publisher, Signer, Standing};
pub use upcasters::{ChainError, Chains, Lifted, UpcastFault};
pub use upgrade::{Beside, Upgrade};
pub use verify::{Difference, Verification, VerifyOptions};

// What the rooms above ask of the engine and get from it, so that they need not know the floors below.
pub use crate::log::{
    Append, Appended, ArchiveInfo, Error as LogError, Expectation, Placed, Prepared, Query, Refused, Rewritten,
};
pub use crate::plugin::{
    Compiling, Contents, Dependency, Error as PluginError, Extent, Import, Inspection, Module, Plugin, Producer,
    ProjectionManifest, Refused as RefusedPlugin, Sections, StateEncoding, Step, UpcasterManifest, View,
};

/// Reads the imports and exports of a component, or of what a core module makes, without a data directory.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Error> {
    Ok(plugin::inspect(bytes)?)
}

/// Lists what is in a plugin's file, which is neither compiled nor run.
pub fn contents(bytes: &[u8]) -> Result<Contents, Error> {
    Ok(plugin::contents(bytes)?)
}

/// The memory that an instance of a plugin may have unless a projection says otherwise.
pub const MEMORY_BYTES_MAX: usize = plugin::Limits::MEMORY_BYTES;

/// The largest plugin file.
pub const PLUGIN_BYTES_MAX: usize = plugin::Store::PLUGIN_BYTES_MAX;
pub use crate::state::{
    CallCost, Changes, Checkpoint, Costs, Error as StateError, Fault, Missing, Occasion, Reader, SetAside,
    SetAsideTotals, Size,
};

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::event::Digest;
use crate::log::{self, Log};
use crate::plugin;
use append::Writer;
use archive::Archive;
use catalogue::Catalogue;
use hub::Hub;
use keys::{Keys, Trial};
use lock::Lock;
use prober::Prober;
use quota::Gauges;
use running::Running;
use states::States;
use trust::Trust;

/// What a user may set about an engine.
#[derive(Clone, Debug)]
pub struct Options {
    pub log: log::Options,
    /// How long to wait for another process to let go of the data directory.
    pub lock_wait: std::time::Duration,
    /// What this process is, for whoever finds the directory in use; may be empty.
    pub holder: String,
    /// The wall time of one call of a plugin, in steps of a tenth of a second. What passes it is paused and tried again.
    pub call_deadline: std::time::Duration,
    /// Which share of its batches every projection folds once more under other conditions; none if it is left out.
    pub probe: Option<Share>,
    /// How many bytes of changes the making of an earlier state keeps in memory; beyond, it goes on in a file.
    pub as_of_bytes_max: usize,
    /// Take and run only plugins that a trusted publisher signed, whatever the trust file says.
    pub require_signature: bool,
    /// Which payloads the log keeps; a run of retention drops the others.
    pub retention: Policy,
    /// Categories whose events are encrypted from now on, beside those that are already.
    pub encrypt: Vec<String>,
}

impl Default for Options {
    /// Ten seconds: most commands are done by then, and a person has not yet given up.
    fn default() -> Self {
        Self {
            log: log::Options::default(),
            lock_wait: std::time::Duration::from_secs(10),
            holder: String::new(),
            call_deadline: plugin::Limits::DEADLINE,
            probe: None,
            as_of_bytes_max: asof::CHANGES_BYTES_MAX,
            require_signature: false,
            retention: Policy::default(),
            encrypt: Vec::new(),
        }
    }
}

/// An open data directory.
pub struct Engine {
    hub: Arc<Hub>,
    plugins: plugin::Store,
    loaded: Mutex<BTreeMap<Digest, plugin::Plugin>>,
    sandbox: plugin::Sandbox,
    call_deadline: std::time::Duration,
    prober: Option<Prober>,
    as_of_bytes_max: usize,
    key: receipt::KeyFile,
    trust: Trust,
    policy: Policy,
    retention: retention::Counts,
    /// One run of retention at a time.
    retaining: Mutex<()>,
    opened: status::Opened,
    /// One state is started at a time: nobody opens a file twice.
    starting: Mutex<()>,
    /// One thing is erased at a time.
    erasing: Mutex<()>,
    // Last, so that it is dropped last.
    lock: Lock,
}

impl Drop for Engine {
    /// Stops all workers, which finish what they have in hand; then the writer finishes what was handed over.
    fn drop(&mut self) {
        drop(self.hub.running.clear());
    }
}

/// Makes a directory, where there is none, for its owner alone. Who opened up one that is there meant it.
fn make_private(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    if let Some(parent) = dir.parent() {
        builder.create(parent).map_err(Error::file(parent))?;
    }
    builder.mode(0o700).create(dir).map_err(Error::file(dir))
}

/// The archive of a directory that is only looked at; an empty one where it has none.
fn archive_in(dir: &Path, beside: &Path, log: &Log) -> Result<Archive, Error> {
    let there = dir.join("archive");
    let dir = if there.exists() { there } else { beside.join("archive") };
    Archive::open(&dir, log.id())
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine(log {})", self.hub.log.id())
    }
}

/// What is opened of a data directory.
struct Parts {
    lock: Lock,
    catalogue: Catalogue,
    trust: Trust,
    log: Arc<Log>,
    archive: Archive,
    plugins: plugin::Store,
    keys: Arc<Keys>,
}

impl Engine {
    /// Opens a data directory, making it where there is none. No projection runs until it is started, but for those that
    /// every append has to reach.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, Error> {
        make_private(dir)?;
        let lock = Lock::acquire(dir, options.lock_wait, &options.holder)?;
        let (log, file) = (dir.join("log.redb"), dir.join("catalogue.json"));
        let catalogue = Catalogue::open(&file)?;
        let trust = Trust::open(&dir.join("trust.toml"), options.require_signature)?;
        if !log.exists() && !catalogue.content().projections.is_empty() {
            return Err(Error::LogMissing { log, catalogue: file });
        }
        states::check_known(&dir.join("projections"), &catalogue, &file)?;
        let log = Arc::new(Log::open(&log, &options.log)?);
        let plugins = plugin::Store::open(&dir.join("plugins"))?;
        let archive = Archive::open(&dir.join("archive"), log.id())?;
        let keys = Arc::new(Keys::open(dir, log.id())?);
        keys.encrypt(&options.encrypt)?;
        let engine = Self::over(Parts { lock, catalogue, trust, log, archive, plugins, keys }, dir, options)?;
        match engine.finish_erasing() {
            // Reads and appends go on, and the next erasure or opening tries again.
            Err(error) if error.is_disk_full() || error.is_of_archive() => {
                tracing::error!("an erasure is not finished, and is tried again by the next: {error}");
            }
            finished => finished?,
        }
        if let Err(error) = engine.redact_archives_again() {
            tracing::error!("whether the archive has what was redacted is not known: {error}");
        }
        engine.purge()?;
        engine.remove_unknown_snapshots();
        engine.start_sync();
        Ok(engine)
    }

    /// Opens what a check of receipts needs of a data directory, which stays as it is and need only be readable: log, plugins
    /// and whom to trust. What the check writes goes to the empty directory `beside`; compiled code is made anew, because
    /// that of a directory that somebody handed over is theirs.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process may write the directory.
    pub fn open_to_check(dir: &Path, beside: &Path, options: &Options) -> Result<Self, Error> {
        let lock = Lock::share(dir, beside)?;
        let catalogue = Catalogue::open(&dir.join("catalogue.json"))?;
        let trust = Trust::open(&dir.join("trust.toml"), options.require_signature)?;
        let log = Arc::new(Log::open_frozen(&dir.join("log.redb"), &options.log)?);
        let plugins = plugin::Store::reading(&dir.join("plugins"));
        let archive = archive_in(dir, beside, &log)?;
        let keys = Arc::new(Keys::open_to_check(dir, log.id())?);
        Self::over(Parts { lock, catalogue, trust, log, archive, plugins, keys }, beside, options)
    }

    /// An engine whose states, compiled code and key lie in `dir`.
    fn over(parts: Parts, dir: &Path, options: &Options) -> Result<Self, Error> {
        let Parts { lock, catalogue, trust, log, archive, plugins, keys } = parts;
        let hub = Hub {
            archive: Arc::new(archive),
            catalogue,
            running: Running::default(),
            gauges: Gauges::default(),
            recent: Arc::default(),
            pasts: asof::Pasts::default(),
            states: Arc::new(States::new(dir.join("projections"), Arc::clone(&log))),
            writer: Writer::start(Arc::clone(&log), Arc::clone(&keys)),
            log,
            keys,
        };
        Ok(Self {
            opened: status::Opened::now(hub.log.head().sequence),
            hub: Arc::new(hub),
            plugins,
            loaded: Mutex::default(),
            sandbox: plugin::Sandbox::new(Some(&dir.join("cache")))?,
            call_deadline: options.call_deadline,
            prober: options.probe.map(Prober::new).transpose()?,
            as_of_bytes_max: options.as_of_bytes_max,
            key: receipt::KeyFile::new(dir),
            trust,
            policy: options.retention.clone(),
            retention: retention::Counts::open(dir),
            retaining: Mutex::default(),
            starting: Mutex::default(),
            erasing: Mutex::default(),
            lock,
        })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        self.lock.dir()
    }

    pub fn log(&self) -> &Log {
        &self.hub.log
    }

    /// Appends events and returns once they are durable.
    pub fn append(&self, append: Append) -> Result<Appended, Error> {
        self.submit(self.prepare(append)?).wait()
    }

    /// Makes an append ready: encrypts what belongs to encrypted categories, and checks the limits.
    pub fn prepare(&self, mut append: Append) -> Result<Prepared, Error> {
        self.hub.keys.seal(&self.hub.log, &mut append, Trial::No)?;
        Ok(Prepared::new(append)?)
    }

    /// The same for an append that is only tried.
    fn prepare_trial(&self, mut append: Append) -> Result<Prepared, Error> {
        self.hub.keys.seal(&self.hub.log, &mut append, Trial::Yes)?;
        Ok(Prepared::new(append)?)
    }

    /// The categories whose events are encrypted.
    pub fn encrypted_categories(&self) -> Arc<std::collections::BTreeSet<String>> {
        self.hub.keys.categories()
    }

    /// A view of the log as it is now, whose payloads can be read.
    pub fn read_log(&self) -> Result<LogReader, Error> {
        self.hub.keys.reader(&self.hub.log)
    }

    /// Hands an append to the writer; the ticket waits for its answer. Appends are answered in order.
    pub fn submit(&self, prepared: Prepared) -> Ticket {
        self.hub.writer.submit(prepared)
    }

    /// The same without waiting for a place in the writer's queue; gives the append back if there is none.
    pub fn try_submit(&self, prepared: Prepared) -> Result<Ticket, Prepared> {
        self.hub.writer.try_submit(prepared)
    }

    /// How many groups of appends the writer has written since the directory was opened.
    pub fn commits(&self) -> u64 {
        self.hub.writer.commits()
    }

    /// What the writer counted since the directory was opened.
    pub fn metrics(&self) -> Metrics {
        self.hub.writer.metrics()
    }

    /// Where the log ends, for whoever wants to wait for more.
    pub fn head(&self) -> &HeadWatch {
        self.hub.writer.head()
    }
}
