//! The keys of streams whose payloads are encrypted, kept apart from the log: forgetting a stream is deleting its key.
//!
//! ```text
//! data directory
//! ├── encryption.json   which categories are encrypted, with a checksum; goes into backups
//! └── keys/             00 … ff, streams by the first byte of their name's digest; for their owner only, and in no backup
//! ```

mod cipher;
mod exchange;
mod files;
mod open;
mod seal;
mod shard;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::{Error, sealed};
use crate::event::{Timestamp, category_of};
use crate::log::LogId;
pub use exchange::ImportedKeys;
use files::Folder;
pub(super) use files::replace;
pub use open::LogReader;
pub(super) use seal::Trial;
use shard::{SHARDS, Shard, Standing};

/// The category of the host's own events. Nobody else appends to it, and it is never encrypted.
pub const HOST_CATEGORY: &str = "polyfold";

const FORMAT: u32 = 1;
/// Far more categories than anybody names.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// As long as a stream's name may be.
const CATEGORY_BYTES_MAX: usize = 510;

/// The key store of a data directory.
#[derive(Debug)]
pub(super) struct Keys {
    file: PathBuf,
    folder: Folder,
    categories: RwLock<Arc<BTreeSet<String>>>,
    /// Each is read when it is first needed.
    shards: Vec<Mutex<Option<Shard>>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    categories: BTreeSet<String>,
}

/// What the store has of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub stream: String,
    /// When the key was made, or forgotten.
    pub at: Timestamp,
    pub is_forgotten: bool,
}

impl Keys {
    /// Opens the store of a data directory; it takes no room until a category is encrypted.
    pub(super) fn open(dir: &Path, log: LogId) -> Result<Self, Error> {
        let keys = Self::open_to_check(dir, log)?;
        keys.folder.finish()?;
        if !keys.file.exists() && dir.join("keys").is_dir() {
            keys.encrypt_what_has_keys()?;
        }
        Ok(keys)
    }

    /// Without the file that names the categories, those of all streams that have keys, or had, stay encrypted.
    fn encrypt_what_has_keys(&self) -> Result<(), Error> {
        let mut found = BTreeSet::new();
        for number in 0..SHARDS {
            // One that is damaged says so to whoever needs a key in it.
            let read = self.with(number as u8, |shard| {
                found.extend(shard.streams.keys().map(|stream| category_of(stream).to_owned()));
                Ok(())
            });
            if let Err(error) = read {
                tracing::warn!("which categories are encrypted is not wholly known: {error}");
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = found.into_iter().collect();
        tracing::warn!(
            "encryption.json was lost; these categories have keys, and stay encrypted: {}",
            found.join(", ")
        );
        self.encrypt(&found)
    }

    /// The same of a directory that stays as it is.
    pub(super) fn open_to_check(dir: &Path, log: LogId) -> Result<Self, Error> {
        let file = dir.join("encryption.json");
        let categories = RwLock::new(Arc::new(read(&file)?));
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Ok(Self { file, folder: Folder::new(dir.join("keys"), log), categories, shards })
    }

    /// The categories whose events are encrypted from now on.
    pub(super) fn categories(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.categories.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Encrypts what is appended to these categories from now on; there is no way back.
    pub(super) fn encrypt(&self, more: &[String]) -> Result<(), Error> {
        let mut categories = self.categories.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = BTreeSet::clone(&categories);
        for category in more {
            check_category(category)?;
            all.insert(category.clone());
        }
        if all == **categories {
            return Ok(());
        }
        let content = File { format: FORMAT, categories: all };
        let bytes = sealed::seal(&content).expect("categories are plain data");
        files::replace(&self.file, &bytes).map_err(Error::file(&self.file))?;
        *categories = Arc::new(content.categories);
        Ok(())
    }

    /// What is known of a stream's key.
    fn standing(&self, stream: &str) -> Result<Option<Standing>, Error> {
        let number = shard::of_stream(stream);
        self.with(number, |shard| Ok(shard.streams.get(stream).cloned()))
    }

    /// Whether a stream's key was deleted.
    pub(super) fn is_forgotten(&self, stream: &str) -> Result<bool, Error> {
        Ok(matches!(self.standing(stream)?, Some(Standing::Forgotten { .. })))
    }

    /// Deletes a stream's key, and remembers that there is none any more. To do it again changes nothing.
    pub(super) fn forget(&self, stream: &str, at: Timestamp) -> Result<(), Error> {
        self.with(shard::of_stream(stream), |shard| {
            if matches!(shard.streams.get(stream), Some(Standing::Forgotten { .. })) {
                return Ok(());
            }
            shard.streams.insert(stream.to_owned(), Standing::Forgotten { at });
            self.folder.rewrite(shard::of_stream(stream), shard)
        })
    }

    /// Adds what is not known of these streams, all durable on return. What is known stays as it is.
    fn add(&self, new: Vec<(String, Standing)>) -> Result<(), Error> {
        let mut by_shard: std::collections::BTreeMap<u8, Vec<(String, Standing)>> = std::collections::BTreeMap::new();
        for (stream, standing) in new {
            by_shard.entry(shard::of_stream(&stream)).or_default().push((stream, standing));
        }
        // Each waits for the disk: together they wait about as long as one.
        use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
        by_shard.into_par_iter().try_for_each(|(number, mut new)| {
            self.with(number, |shard| {
                new.retain(|(stream, _)| !shard.streams.contains_key(stream));
                if new.is_empty() {
                    return Ok(());
                }
                self.folder.append(number, shard, &new)?;
                shard.streams.extend(new);
                Ok(())
            })
        })
    }

    /// All streams that have a key, or had one.
    pub(super) fn list(&self) -> Result<Vec<KeyInfo>, Error> {
        let mut all = Vec::new();
        for number in 0..=u8::MAX {
            self.with(number, |shard| {
                all.extend(shard.streams.iter().map(|(stream, standing)| {
                    let (at, is_forgotten) = match standing {
                        Standing::Key { at, .. } => (*at, false),
                        Standing::Forgotten { at } => (*at, true),
                    };
                    KeyInfo { stream: stream.clone(), at, is_forgotten }
                }));
                Ok(())
            })?;
        }
        all.sort_by(|left, right| left.stream.cmp(&right.stream));
        Ok(all)
    }

    /// Does something with a shard. After an error it is read anew: the file decides.
    fn with<T>(&self, number: u8, work: impl FnOnce(&mut Shard) -> Result<T, Error>) -> Result<T, Error> {
        let mut slot = self.shard(number);
        let mut shard = match slot.take() {
            Some(shard) => shard,
            None => self.folder.read(number)?,
        };
        let done = work(&mut shard)?;
        *slot = Some(shard);
        Ok(done)
    }

    fn shard(&self, number: u8) -> MutexGuard<'_, Option<Shard>> {
        // What a panic left behind is none: it is read anew.
        self.shards[usize::from(number)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_category(category: &str) -> Result<(), Error> {
    let why = if category.is_empty() {
        "it is empty"
    } else if category.contains('/') {
        "it has a `/`; a category is the part of a stream's name before the first one"
    } else if category.chars().any(char::is_control) || category.len() > CATEGORY_BYTES_MAX {
        "no stream can be of it"
    } else if category == HOST_CATEGORY {
        "the host's own events say why something was erased, and stay readable"
    } else {
        return Ok(());
    };
    Err(Error::Category { category: category.to_owned(), why })
}

fn read(path: &Path) -> Result<BTreeSet<String>, Error> {
    let problem = |problem: String| Error::Keys { path: path.to_owned(), problem };
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let text = super::read_small(path, FILE_BYTES_MAX).map_err(|error| problem(error.to_string()))?;
    let file = sealed::unseal(text.as_bytes())
        .and_then(|value| serde_json::from_value::<File>(value).map_err(|error| error.to_string()));
    let file = file.map_err(&problem)?;
    if file.format > FORMAT {
        return Err(problem(format!("it has format {}, which a later release wrote", file.format)));
    }
    Ok(file.categories)
}
