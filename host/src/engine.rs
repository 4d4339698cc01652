//! The engine: joins log, plugins and states into the whole program. Control goes down by calls, data comes up by values.
//!
//! ```text
//! data directory
//! ├── lock              held by the one process that has the directory open, with its process id
//! ├── log.redb          the event log
//! ├── catalogue.json    which plugins are installed and which projections run
//! ├── plugins/          plugin files by digest
//! ├── cache/            compiled plugins; safe to delete
//! └── projections/      NAME/IDENTITY.redb, one state each
//! ```

mod append;
mod catalogue;
mod error;
mod faults;
mod feed;
mod identity;
mod import;
mod intake;
mod lock;
mod operate;
mod plugins;
mod progress;
mod render;
mod replay;
mod sizing;
mod status;
mod upcasters;
mod verify;
mod worker;

pub use append::{HeadWatch, Ticket};
pub use catalogue::{FaultPolicy, InstalledPlugin, PluginKind, Projection};
pub use error::Error;
pub use identity::Deployment;
pub use import::{BadLine, Imported, Watch};
pub use intake::{InvalidLine, event_from_json, new_id};
pub use operate::NewProjection;
pub use plugins::Installed;
pub use progress::{Phase, Progress};
pub use render::event_to_json;
pub use sizing::Sizing;
pub use status::{StateStatus, Status};
pub use upcasters::{ChainError, Chains, Lifted, UpcastFault};
pub use verify::{Difference, Verification};

// What the rooms above ask of the engine and get from it, so that they need not know the floors below.
pub use crate::log::{Append, Appended, Error as LogError, Expectation, Placed, Prepared, Query, Refused};
pub use crate::plugin::{
    Error as PluginError, Plugin, ProjectionManifest, Refused as RefusedPlugin, StateEncoding, Step, UpcasterManifest,
    View,
};
/// The largest plugin file.
pub const PLUGIN_BYTES_MAX: usize = plugin::Store::PLUGIN_BYTES_MAX;
pub use crate::state::{Checkpoint, Error as StateError, Fault, Reader, Size};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::event::{Digest, PluginName};
use crate::log::{self, Log};
use crate::plugin;
use append::Writer;
use catalogue::Catalogue;
use lock::Lock;
use worker::Worker;

/// What a user may set about an engine.
#[derive(Clone, Debug)]
pub struct Options {
    pub log: log::Options,
    /// How long to wait for another process to let go of the data directory.
    pub lock_wait: std::time::Duration,
}

impl Default for Options {
    /// Ten seconds: most commands are done by then, and a person has not yet given up.
    fn default() -> Self {
        Self { log: log::Options::default(), lock_wait: std::time::Duration::from_secs(10) }
    }
}

/// An open data directory.
pub struct Engine {
    // Fields drop in this order: workers stop before the writer, and the lock goes last.
    workers: Mutex<BTreeMap<PluginName, Worker>>,
    writer: Writer,
    plugins: plugin::Store,
    loaded: Mutex<BTreeMap<Digest, plugin::Plugin>>,
    sandbox: plugin::Sandbox,
    catalogue: Arc<Catalogue>,
    log: Arc<Log>,
    dir: PathBuf,
    _lock: Lock,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.dir.display())
    }
}

impl Engine {
    /// Opens a data directory, making it where there is none. No projection runs until it is started.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })?;
        let lock = Lock::acquire(dir, options.lock_wait)?;
        let (log, catalogue) = (dir.join("log.redb"), dir.join("catalogue.json"));
        let content = Catalogue::open(&catalogue)?;
        if !log.exists() && !content.content().projections.is_empty() {
            return Err(Error::LogMissing { log, catalogue });
        }
        let log = Arc::new(Log::open(&log, &options.log)?);
        Ok(Self {
            workers: Mutex::default(),
            writer: Writer::start(Arc::clone(&log)),
            plugins: plugin::Store::open(&dir.join("plugins"))?,
            loaded: Mutex::default(),
            sandbox: plugin::Sandbox::new(Some(&dir.join("cache")))?,
            catalogue: Arc::new(content),
            log,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Appends events and returns once they are durable.
    pub fn append(&self, append: Append) -> Result<Appended, Error> {
        self.submit(Prepared::new(append)?).wait()
    }

    /// Hands an append to the writer; the ticket waits for its answer. Appends are answered in order.
    pub fn submit(&self, prepared: Prepared) -> Ticket {
        self.writer.submit(prepared)
    }

    /// How many groups of appends the writer has written since the directory was opened.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Where the log ends, for whoever wants to wait for more.
    pub fn head(&self) -> &HeadWatch {
        self.writer.head()
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<PluginName, Worker>> {
        self.workers.lock().expect("no thread panics while it holds the workers")
    }
}
