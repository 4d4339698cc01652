//! The files of states: where they lie, and which of them are open.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::{Duration, Instant};

use super::catalogue::{Catalogue, sync_parent};
use super::keep::Schedule;
use super::retention::COUNTS_FILE;
use super::{Error, Keep};
use crate::event::{Digest, Sequence};
use crate::log::Log;
use crate::state::{self, Damaged, Snapshots, Store, Taken};

/// What the names of files that only their makers need end with; who finds one at the start removes it.
const SCRATCH: &str = ".scratch.redb";

/// What the names of snapshots ended with that older versions kept.
const KEPT: &str = ".kept.redb";
/// What the names of files end with that were set aside, because they are damaged; nobody reads them again.
const ASIDE: &str = ".damaged";

/// Where scratches of checks lie among the states; no projection can have the name.
pub(super) const CHECKS: &str = ".check";

/// Closing a state's file takes a sync or two.
const RELEASED_AFTER: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(5);

/// The folder `projections`.
#[derive(Debug)]
pub(super) struct States {
    dir: PathBuf,
    log: Arc<Log>,
    /// A file can be open once in a process, so who wants it shares it.
    open: Mutex<HashMap<PathBuf, Weak<Store>>>,
    scratches: AtomicU64,
    /// The states that were lost and are made anew from the log.
    anew: Mutex<HashMap<PathBuf, Anew>>,
    /// By projection.
    snapshots: Mutex<HashMap<String, Arc<Snapshots>>>,
    schedules: Mutex<HashMap<String, Arc<Schedule>>>,
    /// How often states were removed because of what they held; held for writing while that is done.
    removals: RwLock<u64>,
}

/// A state that was lost, and is made anew since this process found that out.
#[derive(Clone, Debug)]
pub(super) struct Anew {
    /// What became of the one before.
    pub(super) why: String,
    /// Where the log ended then: readers saw as much before, so they see nothing until it is there again.
    pub(super) until: Sequence,
}

impl States {
    pub(super) fn new(dir: PathBuf, log: Arc<Log>) -> Self {
        remove_scratches(&dir);
        Self {
            dir,
            log,
            open: Mutex::default(),
            scratches: AtomicU64::new(0),
            anew: Mutex::default(),
            snapshots: Mutex::default(),
            schedules: Mutex::default(),
            removals: RwLock::default(),
        }
    }

    pub(super) fn path(&self, name: &str, identity: Digest) -> PathBuf {
        self.dir.join(name).join(format!("{identity}.redb"))
    }

    /// The file of a state that was there before. If it is gone, that is said, and the state is made anew.
    pub(super) fn open_known(&self, name: &str, identity: Digest) -> Result<Arc<Store>, Error> {
        let path = self.path(name, identity);
        if !path.exists() && self.made_anew(name, identity).is_none() {
            self.begin_anew(name, &path, format!("{} was missing", path.display()));
        }
        self.open(name, identity)
    }

    /// A state's file, empty if there was none. One that is damaged is set aside: the log has all that was in it.
    pub(super) fn open(&self, name: &str, identity: Digest) -> Result<Arc<Store>, Error> {
        let path = self.path(name, identity);
        make_parent(&path)?;
        let mut open = self.open.lock().expect("no thread panics while it holds the open states");
        if let Some(store) = open.get(&path).and_then(Weak::upgrade) {
            return Ok(store);
        }
        let is_new = !path.exists();
        let opened = self.open_released(&path, identity);
        let (opened, is_new) = match opened {
            Err(Error::State(error)) if error.is_damage() => {
                let aside = set_aside(&path)?;
                self.begin_anew(name, &path, format!("{} (it is kept as {})", error.what(), aside.display()));
                (self.open_released(&path, identity), true)
            }
            opened => (opened, is_new),
        };
        let store = Arc::new(opened?);
        if is_new {
            self.restore(name, identity, &store)?;
        }
        self.check(name, &store)?;
        open.retain(|_, store| store.strong_count() > 0);
        open.insert(path, Arc::downgrade(&store));
        Ok(store)
    }

    /// Opens a file that its last user may be about to let go of: the directory is ours, so nobody else has it.
    fn open_released(&self, path: &Path, identity: Digest) -> Result<Store, Error> {
        let give_up = Instant::now() + RELEASED_AFTER;
        loop {
            match Store::open(path, identity, self.log.id().0) {
                Err(error) if error.is_in_use() && Instant::now() < give_up => std::thread::park_timeout(RETRY),
                opened => return Ok(opened?),
            }
        }
    }

    /// Sets the file of an open state aside, which turned out to be damaged; all who share it have an empty state then.
    pub(super) fn empty(&self, name: &str, store: &Store, identity: Digest, why: &str) -> Result<Anew, Error> {
        let path = store.path().to_owned();
        store.begin_anew(identity, self.log.id().0, || set_aside(&path).map(drop))?;
        self.restore(name, identity, store)?;
        let aside = aside_of(&path);
        Ok(self.begin_anew(name, &path, format!("{why} (it is kept as {})", aside.display())))
    }

    /// Lets a state begin at a sound snapshot behind events that are gone; returns where that is. If there is none that is 0,
    /// and the state stays as it is.
    pub(super) fn begin_behind(
        &self,
        name: &str,
        store: &Store,
        identity: Digest,
        gone: Sequence,
    ) -> Result<Sequence, Error> {
        let head = self.log.head().sequence;
        let is_behind = |taken: &Taken| taken.sequence >= gone;
        if !self.snapshots_upto(name, identity, head)?.iter().any(|(_, taken)| is_behind(taken)) {
            return Ok(Sequence::ZERO);
        }
        let trial = Scratch(self.scratch(name, identity)?);
        let place = self.restore_behind(name, identity, &trial.0, (gone, head))?;
        if place == Sequence::ZERO {
            return Ok(place);
        }
        let path = store.path().to_owned();
        store.begin_anew(identity, self.log.id().0, || remove_if_there(&path))?;
        self.restore_upto(name, identity, store, (place, |taken: &Taken| taken.sequence == place))
    }

    /// Remembers and says that a state is made anew.
    fn begin_anew(&self, name: &str, path: &Path, why: String) -> Anew {
        tracing::warn!(projection = name, "a state is made anew from the log: {why}");
        let anew = Anew { why, until: self.log.head().sequence };
        self.anew().insert(path.to_owned(), anew.clone());
        anew
    }

    /// Whether and why a state was made anew since the directory was opened.
    pub(super) fn made_anew(&self, name: &str, identity: Digest) -> Option<Anew> {
        self.anew().get(&self.path(name, identity)).cloned()
    }

    fn anew(&self) -> MutexGuard<'_, HashMap<PathBuf, Anew>> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty state in a file of its own, to be removed or to take the place of another.
    pub(super) fn scratch(&self, name: &str, identity: Digest) -> Result<Arc<Store>, Error> {
        let path = self.scratch_path(name, identity)?;
        Ok(Arc::new(Store::open(&path, identity, self.log.id().0)?))
    }

    /// Removes what older versions kept beside the states for verifications.
    pub(super) fn remove_leftovers(&self, name: &str) {
        let files = std::fs::read_dir(self.dir.join(name)).into_iter().flatten().flatten();
        for file in files.filter(|file| file.file_name().to_string_lossy().ends_with(KEPT)) {
            if let Err(error) = remove_if_there(&file.path()) {
                tracing::warn!("{error}");
            }
        }
    }

    /// The snapshots of a projection, if any were ever taken. A file that is damaged is set aside: the log has all of it.
    pub(super) fn snapshots(&self, name: &str) -> Result<Option<Arc<Snapshots>>, Error> {
        if !self.snapshots_path(name).exists() {
            return Ok(None);
        }
        self.snapshots_or_new(name).map(Some)
    }

    /// The same, made if there are none.
    pub(super) fn snapshots_or_new(&self, name: &str) -> Result<Arc<Snapshots>, Error> {
        let path = self.snapshots_path(name);
        make_parent(&path)?;
        let mut open = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshots) = open.get(name) {
            return Ok(Arc::clone(snapshots));
        }
        let opened = match Snapshots::open(&path, self.log.id().0) {
            Err(state::Error::Snapshots { problem, .. }) => {
                let aside = self.set_aside_snapshots(&path)?;
                tracing::warn!(
                    projection = name,
                    "its snapshots are kept as {} and not used: {problem}",
                    aside.display()
                );
                Snapshots::open(&path, self.log.id().0)
            }
            opened => opened,
        };
        let snapshots = Arc::new(opened?);
        open.insert(name.to_owned(), Arc::clone(&snapshots));
        Ok(snapshots)
    }

    /// Sets all snapshots of a projection aside: who still reads them reads on.
    pub(super) fn set_snapshots_aside(&self, name: &str, why: &str) {
        let mut open = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(name);
        match self.set_aside_snapshots(&self.snapshots_path(name)) {
            Ok(aside) => {
                let aside = aside.display();
                tracing::warn!(projection = name, "its snapshots are kept as {aside} and not used: {why}");
            }
            Err(error) => tracing::error!(projection = name, "its snapshots cannot be set aside: {error}"),
        }
    }

    /// Moves a file of snapshots away. Once payloads were dropped, what was set aside before stays: nothing makes it again.
    fn set_aside_snapshots(&self, path: &Path) -> Result<PathBuf, Error> {
        let aside = self.aside_of_snapshots(path);
        std::fs::rename(path, &aside).map_err(Error::file(path))?;
        sync_parent(path).map_err(Error::file(path))?;
        Ok(aside)
    }

    fn aside_of_snapshots(&self, path: &Path) -> PathBuf {
        let first = aside_of(path);
        if !self.has_dropped() || !first.exists() {
            return first;
        }
        let numbered = (2u64..).map(|number| PathBuf::from(format!("{}-{number}", first.display())));
        numbered.into_iter().find(|path| !path.exists()).unwrap_or(first)
    }

    /// Whether runs of retention have dropped payloads of the log.
    fn has_dropped(&self) -> bool {
        self.dir.parent().is_some_and(|dir| dir.join(COUNTS_FILE).exists())
    }

    /// Keeps a copy of the file before damaged snapshots are removed from it, once payloads were dropped: one of them may
    /// be where a state has to begin, and nothing makes it again.
    pub(super) fn keep_damaged(&self, name: &str, damaged: &[Damaged]) -> Result<(), Error> {
        if !self.has_dropped() {
            return Ok(());
        }
        let path = self.snapshots_path(name);
        let aside = self.aside_of_snapshots(&path);
        std::fs::copy(&path, &aside).map_err(Error::file(&aside))?;
        sync_parent(&aside).map_err(Error::file(&aside))?;
        for Damaged { sequence, why, .. } in damaged {
            let aside = aside.display();
            tracing::warn!(
                projection = name,
                "the snapshot at sequence {sequence} is damaged ({why}) and kept in {aside}"
            );
        }
        Ok(())
    }

    fn snapshots_path(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("snapshots.redb")
    }

    /// What is kept of a projection's past, shared by all that keeps it; sets it.
    pub(super) fn schedule(&self, name: &str, keep: Keep) -> Arc<Schedule> {
        let mut schedules = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        let schedule = schedules.entry(name.to_owned()).or_default();
        schedule.set(keep);
        Arc::clone(schedule)
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    fn scratch_path(&self, name: &str, identity: Digest) -> Result<PathBuf, Error> {
        let number = self.scratches.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(name).join(format!("{identity}-{number}{SCRATCH}"));
        make_parent(&path)?;
        remove_if_there(&path)?;
        Ok(path)
    }

    /// Lets a scratch take the place of the state of its identity. Who still reads the old one reads on.
    pub(super) fn replace(&self, name: &str, identity: Digest, scratch: &Arc<Store>) -> Result<(), Error> {
        let path = self.path(name, identity);
        std::fs::rename(scratch.path(), &path).map_err(Error::file(&path))?;
        sync_parent(&path).map_err(Error::file(&path))?;
        let mut open = self.open.lock().expect("no thread panics while it holds the open states");
        self.anew().remove(&path);
        open.insert(path, Arc::downgrade(scratch));
        Ok(())
    }

    pub(super) fn remove(&self, name: &str, identity: Digest) -> Result<(), Error> {
        let path = self.path(name, identity);
        self.open.lock().expect("no thread panics while it holds the open states").remove(&path);
        self.anew().remove(&path);
        remove_if_there(&aside_of(&path))?;
        remove_if_there(&path)
    }

    pub(super) fn remove_all(&self, name: &str) -> Result<(), Error> {
        let dir = self.dir.join(name);
        self.open
            .lock()
            .expect("no thread panics while it holds the open states")
            .retain(|path, _| !path.starts_with(&dir));
        self.anew().retain(|path, _| !path.starts_with(&dir));
        drop(self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).remove(name));
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::File { path: dir, source: error }),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the log has that chain head at that event, as far as that can be told: of events that are folded it cannot.
    pub(super) fn is_chain(&self, sequence: Sequence, chain: Digest) -> Result<bool, Error> {
        match self.log.reader()?.chain_at(sequence) {
            Ok(found) => Ok(found == chain),
            Err(crate::log::Error::InFolded { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// How often something was removed because of what it was made of. What was begun before is not to be kept.
    pub(super) fn removals(&self) -> u64 {
        *self.removals.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is removed so as long as this is held; none if something was since then.
    pub(super) fn unless_removed(&self, since: u64) -> Option<RwLockReadGuard<'_, u64>> {
        let removals = self.removals.read().unwrap_or_else(PoisonError::into_inner);
        (*removals == since).then_some(removals)
    }

    /// Begins to remove what must not be kept any more: nobody keeps anything until it is done.
    pub(super) fn begin_removal(&self) -> RwLockWriteGuard<'_, u64> {
        let mut removals = self.removals.write().unwrap_or_else(PoisonError::into_inner);
        *removals += 1;
        removals
    }

    /// Removes all that was ever made of a projection, whose states are made anew then.
    pub(super) fn remove_made(&self, name: &str, identities: &[Digest], why: &str) -> Result<(), Error> {
        self.remove_all(name)?;
        let dir = self.dir.join(name);
        sync_parent(&dir).map_err(Error::file(&dir))?;
        for identity in identities {
            self.begin_anew(name, &self.path(name, *identity), why.to_owned());
        }
        Ok(())
    }

    /// A state must have been made from this log, as far as it goes.
    fn check(&self, name: &str, store: &Store) -> Result<(), Error> {
        let (checkpoint, head) = (store.checkpoint()?, self.log.head().sequence);
        if checkpoint.sequence > head {
            return Err(Error::AheadOfLog { name: name.to_owned(), checkpoint: checkpoint.sequence, head });
        }
        let is_empty = checkpoint.sequence == Sequence::ZERO;
        if !is_empty && !self.is_chain(checkpoint.sequence, checkpoint.chain)? {
            return Err(Error::OtherHistory { name: name.to_owned(), checkpoint: checkpoint.sequence });
        }
        Ok(())
    }
}

/// States without a catalogue mean that the catalogue was lost, and with it what they are states of. States that the
/// catalogue does not name are passed over with a warning: a projection was deleted, or the catalogue is an older copy.
pub(super) fn check_known(states: &Path, catalogue: &Catalogue, file: &Path) -> Result<(), Error> {
    let mut unknown = projections_in(states);
    unknown.retain(|name| !catalogue.content().projections.contains_key(name));
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = unknown.iter().map(|name| format!("{name:?}")).collect();
    if !file.exists() {
        let (catalogue, states) = (file.to_owned(), states.to_owned());
        return Err(Error::CatalogueMissing { catalogue, states, projections: names.join(", ") });
    }
    for name in unknown {
        let folder = states.join(name);
        tracing::warn!(
            "{}: no projection of that name is known; delete the folder if none is missed",
            folder.display()
        );
    }
    Ok(())
}

/// The folders that hold states, by name.
fn projections_in(dir: &Path) -> BTreeSet<String> {
    let is_scratch = |path: &Path| path.to_string_lossy().ends_with(SCRATCH);
    let is_state = |path: &Path| path.extension().is_some_and(|extension| extension == "redb") && !is_scratch(path);
    let has_state = |folder: &Path| {
        let mut files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.any(|file| is_state(&file.path()))
    };
    let folders = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let folders = folders.filter(|folder| has_state(&folder.path()));
    folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
}

/// A scratch that goes with its user.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) Arc<Store>);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(self.0.path()) {
            tracing::warn!("{error}");
        }
    }
}

/// What a host that was killed left behind. That it cannot be removed hurts nobody.
fn remove_scratches(dir: &Path) {
    let Ok(projections) = std::fs::read_dir(dir) else { return };
    let files = projections.flatten().filter_map(|projection| std::fs::read_dir(projection.path()).ok());
    for file in files.flat_map(Iterator::flatten) {
        if file.file_name().to_string_lossy().ends_with(SCRATCH)
            && let Err(error) = std::fs::remove_file(file.path())
        {
            tracing::warn!("{}: {error}", file.path().display());
        }
    }
    // Of checks; it stays if there is something else in it.
    drop(std::fs::remove_dir(dir.join(CHECKS)));
}

/// Where a state's file goes that is damaged. What was set aside before it gives way: both are made from the same log.
fn aside_of(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(ASIDE);
    aside.into()
}

fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let aside = aside_of(path);
    std::fs::rename(path, &aside).map_err(Error::file(path))?;
    sync_parent(path).map_err(Error::file(path))?;
    Ok(aside)
}

fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().expect("state files have a parent");
    std::fs::create_dir_all(parent).map_err(Error::file(parent))
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { path: path.to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
