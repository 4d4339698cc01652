//! What the runs of retention did, in a small file beside the log: for people, and for nothing that must be right.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::engine::catalogue::sync_parent;
use crate::engine::{Error, sealed};

/// The file's name in the data directory. It is there as soon as anything is about to be dropped.
pub(in crate::engine) const COUNTS_FILE: &str = "retention.json";

/// What all runs did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunCounts {
    pub runs: u64,
    /// Payloads that were dropped, and their bytes.
    pub events: u64,
    pub payload_bytes: u64,
    pub last: Option<LastRun>,
}

/// What the last run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRun {
    /// RFC 3339.
    pub at: String,
    /// The last event that was looked at.
    pub cut: u64,
    pub events: u64,
    pub payload_bytes: u64,
    /// Of the events dropped those of which nothing but digests is left.
    pub folded: u64,
    pub file_bytes_before: u64,
    pub file_bytes_after: u64,
    /// Critical events with their payloads, before and after.
    pub critical_before: u64,
    pub critical_after: u64,
}

#[derive(Debug)]
pub(in crate::engine) struct Counts {
    path: PathBuf,
    counts: Mutex<RunCounts>,
}

impl Counts {
    /// Reads the file. What is wrong with it is in the log, and counting begins anew.
    pub(in crate::engine) fn open(dir: &Path) -> Self {
        let path = dir.join(COUNTS_FILE);
        let counts = read(&path).unwrap_or_else(|why| {
            tracing::warn!("{}: {why}; runs of retention are counted anew", path.display());
            RunCounts::default()
        });
        Self { path, counts: Mutex::new(counts) }
    }

    pub(super) fn now(&self) -> RunCounts {
        self.counts().clone()
    }

    /// Makes the file, if it is not there.
    pub(super) fn begin(&self) -> Result<(), Error> {
        if self.path.exists() { Ok(()) } else { write(&self.path, &self.counts()) }
    }

    /// Counts a run.
    pub(super) fn add(&self, run: LastRun) -> Result<(), Error> {
        let mut counts = self.counts();
        counts.runs += 1;
        counts.events += run.events;
        counts.payload_bytes += run.payload_bytes;
        counts.last = Some(run);
        write(&self.path, &counts)
    }

    fn counts(&self) -> MutexGuard<'_, RunCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<RunCounts, String> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_value(sealed::unseal(&text)?).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(RunCounts::default()),
        Err(error) => Err(error.to_string()),
    }
}

fn write(path: &Path, counts: &RunCounts) -> Result<(), Error> {
    let written = || -> std::io::Result<()> {
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, sealed::seal(counts)?)?;
        std::fs::File::open(&beside)?.sync_all()?;
        std::fs::rename(&beside, path)?;
        sync_parent(path)
    };
    written().map_err(Error::file(path))
}
