//! What a generation says of itself: a JSON file with a checksum that names every file that it needs.

use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::engine::sealed;
use crate::event::{Digest, Sequence, Timestamp};
use crate::log::{Head, LogId};

/// The format of a backup's files: 2 for a generation with snapshots, 1 for all else. A reader takes every format up to its own.
pub(super) const FORMAT: u32 = 2;
pub(super) const FORMAT_WITHOUT_SNAPSHOTS: u32 = 1;

/// The file that says whose backup it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) format: u32,
    pub(super) log_id: String,
}

/// One run's backup: what a data directory needs to be as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    pub format: u32,
    /// Counted from 1; never reused.
    pub generation: u64,
    pub made_at: String,
    /// The program that made it.
    pub made_by: String,
    pub log: SavedLog,
    /// The log's blocks in order: of each segment those with the events from `first` to `last`.
    pub segments: Vec<Part>,
    pub files: Vec<SavedFile>,
    pub plugins: Vec<SavedPlugin>,
    pub states: Vec<SavedState>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SavedSnapshots>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<SavedArchive>,
    /// Of all files that it needs.
    pub bytes: u64,
    /// Of those that this run wrote.
    pub new_bytes: u64,
}

/// Where the log ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedLog {
    pub id: String,
    pub sequence: u64,
    /// Of the last event; absent in an empty log.
    pub recorded_at: Option<String>,
    pub chain_head: String,
    /// How often the log had written blocks other than the last anew.
    pub rewrites: u64,
    /// Absent in an empty log.
    pub last_block: Option<LastBlock>,
}

/// The block that may still grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastBlock {
    pub first: u64,
    /// The block's own checksum, 32 hexadecimal digits.
    pub checksum: String,
    pub chain_before: String,
}

/// What a generation needs of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Of the whole segment, which is its name.
    pub digest: String,
    pub bytes: u64,
    pub first: u64,
    pub last: u64,
}

/// A small file of the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedFile {
    pub name: String,
    pub digest: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlugin {
    pub digest: String,
    pub bytes: u64,
}

/// A copy of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedState {
    pub projection: String,
    pub identity: String,
    /// Its checkpoint.
    pub sequence: u64,
    pub chain_head: String,
    pub digest: String,
    pub bytes: u64,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedArchive {
    pub name: String,
    /// Stands for what is in it.
    pub version: String,
    pub digest: String,
    pub bytes: u64,
}

/// A copy of all snapshots of a projection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSnapshots {
    pub projection: String,
    /// Stands for what is in it.
    pub version: String,
    pub digest: String,
    pub bytes: u64,
}

impl SavedLog {
    /// Where the log ended, as the log says it.
    pub(super) fn head(&self) -> Option<Head> {
        let recorded_at = match &self.recorded_at {
            Some(text) => text.parse().ok()?,
            None => Timestamp::EPOCH,
        };
        Some(Head { sequence: Sequence(self.sequence), recorded_at, chain: self.chain_head.parse().ok()? })
    }

    pub(super) fn log_id(&self) -> Option<LogId> {
        self.id.parse().ok()
    }
}

impl Generation {
    /// The name of its file.
    pub(super) fn file_name(number: u64) -> String {
        format!("{GENERATIONS}/{number:06}.json")
    }

    /// Every file that it needs, by name, and its bytes.
    pub(super) fn needs(&self) -> impl Iterator<Item = (String, u64)> {
        let segments = self.segments.iter().map(|part| (format!("{BLOCKS}/{}", part.digest), part.bytes));
        let files = self.files.iter().map(|file| (format!("{FILES}/{}", file.digest), file.bytes));
        let plugins = self.plugins.iter().map(|plugin| (format!("{PLUGINS}/{}", plugin.digest), plugin.bytes));
        let states = self.states.iter().map(|state| (format!("{STATES}/{}", state.digest), state.bytes));
        let snapshots = self.snapshots.iter().map(|it| (format!("{STATES}/{}", it.digest), it.bytes));
        let archives = self.archives.iter().map(|it| (format!("{FILES}/{}", it.digest), it.bytes));
        segments.chain(files).chain(plugins).chain(states).chain(snapshots).chain(archives)
    }

    /// Reads one, and sees that what it says can be.
    pub(super) fn parse(file: &str, text: &[u8]) -> Result<Self, BackupError> {
        let generation: Self = parse(file, text)?;
        let impossible = |what: &str| BackupError::damaged(file, format!("{what} cannot be"));
        if generation.log.head().is_none() || generation.log.log_id().is_none() {
            return Err(impossible("where it says that the log ends"));
        }
        for (name, _) in generation.needs() {
            let digest = name.rsplit('/').next().unwrap_or_default();
            digest.parse::<Digest>().map_err(|_| impossible(&format!("the name {name:?}")))?;
        }
        if let Some(state) = generation.states.iter().find(|state| state.identity.parse::<Digest>().is_err()) {
            return Err(impossible(&format!("the identity {:?}", state.identity)));
        }
        // They become paths: a name that leads elsewhere must not.
        let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        let names = generation.files.iter().map(|file| &file.name);
        let names = names.chain(generation.states.iter().map(|state| &state.projection));
        let names = names.chain(generation.snapshots.iter().map(|it| &it.projection));
        let mut names = names.chain(generation.archives.iter().map(|it| &it.name));
        if let Some(name) = names.find(|name| !is_plain(name)) {
            return Err(impossible(&format!("the name {name:?}")));
        }
        let mut end = 0;
        for part in &generation.segments {
            if part.first != end + 1 || part.last < part.first {
                return Err(impossible(&format!("that segment {} follows event {end}", part.digest)));
            }
            end = part.last;
        }
        if end != generation.log.sequence {
            return Err(impossible(&format!("that the segments end at {end}")));
        }
        Ok(generation)
    }
}

/// Reads a JSON file with a checksum, of this format or an earlier one.
pub(super) fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &[u8]) -> Result<T, BackupError> {
    let value = sealed::unseal(text).map_err(|why| BackupError::damaged(file, why))?;
    if let Some(found) = value.get("format").and_then(serde_json::Value::as_u64).filter(|it| *it > u64::from(FORMAT)) {
        return Err(BackupError::NewerFormat { file: file.to_owned(), found, known: FORMAT });
    }
    serde_json::from_value(value).map_err(|error| BackupError::damaged(file, error))
}

pub(super) fn seal<T: Serialize>(content: &T) -> Vec<u8> {
    sealed::seal(content).expect("what a backup says is plain data")
}

/// The file that says whose backup it is, and the folders; all files but those of generations are named by their digest.
/// The file that has what the log's index has of folded events.
pub(super) const FOLDED: &str = "folded-events";
pub(super) const MARK: &str = "backup.json";
pub(super) const GENERATIONS: &str = "generations";
pub(super) const BLOCKS: &str = "blocks";
pub(super) const FILES: &str = "files";
pub(super) const PLUGINS: &str = "plugins";
pub(super) const STATES: &str = "states";
pub(super) const FOLDERS: [&str; 4] = [BLOCKS, FILES, PLUGINS, STATES];
