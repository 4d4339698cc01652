//! Making a data directory of a backup: beside its place, verified on the way, and renamed when it is whole.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::BackupError;
use super::base::{generation, generations, log_id};
use super::manifest::{FILES, FOLDED, Generation, PLUGINS, Part, STATES, SavedState};
use super::place::{Content, Place, make_folder, parent_of, sync_folder};
use super::segment::SegmentReader;
use crate::engine::catalogue::Returning;
use crate::event::{Digest, Sequence, Timestamp};
use crate::log::{self, BadBlock, BlockBatch, BlockInfo, Cut, FoldedEvent, Head, Log, LogId, Rebuild};
use crate::state::Store;

/// Blocks that are verified together; three such batches are in memory.
const BATCH_BYTES: usize = 8 << 20;
const CATALOGUE: &str = "catalogue.json";
/// What lies in the folder beside the data directory until it gets its name.
const INNER: &str = "data";
/// Small files are read whole.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Up to where a log is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// All that the backup has.
    End,
    Sequence(Sequence),
    /// The last event that was recorded then or before.
    Time(Timestamp),
}

/// What is to be restored, and where.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    pub backup: &'a Path,
    /// A data directory that is empty or does not exist.
    pub dir: &'a Path,
    pub until: Until,
    /// If left out the newest; for a sequence or a time the oldest that reaches beyond it, for things to be as they were then.
    pub generation: Option<u64>,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub generation: u64,
    pub made_at: String,
    pub log_id: String,
    pub sequence: u64,
    /// Of the last event; absent in an empty log.
    pub recorded_at: Option<String>,
    pub chain_head: String,
    pub plugins: u64,
    pub states: u64,
    /// States that lie beyond the end, or that no projection has any more.
    pub states_left_out: u64,
    /// Whether the host key was in the backup; without it a new one is made, which signs under another name.
    pub has_host_key: bool,
}

impl Restore<'_> {
    /// Calls `watch` with the last event restored, and the last to come. What fails leaves nothing behind.
    pub fn run(&self, watch: &mut dyn FnMut(u64, u64)) -> Result<Restored, BackupError> {
        self.restore(watch).map_err(|error| match error {
            BackupError::Log(error) if error.is_disk_full() => BackupError::DiskFull { path: self.dir.to_owned() },
            BackupError::State(error) if error.is_disk_full() => BackupError::DiskFull { path: self.dir.to_owned() },
            other => other,
        })
    }

    fn restore(&self, watch: &mut dyn FnMut(u64, u64)) -> Result<Restored, BackupError> {
        let place = Place::to_read(self.backup)?;
        let marked = log_id(&place)?;
        let generation = self.choose(&place)?;
        if marked != generation.log.log_id() {
            let name = place.shown(&Generation::file_name(generation.generation));
            return Err(BackupError::damaged(name, format!("it is of log {}", generation.log.id)));
        }
        check_empty(self.dir)?;
        let work = Work::begin(self.dir)?;
        let head = self.log(&place, &generation, &work.inner, watch)?;
        for file in generation.files.iter().filter(|file| file.name != FOLDED) {
            self.file(&place, &file.name, &file.digest, &work.inner)?;
        }
        for plugin in &generation.plugins {
            copy(&place, PLUGINS, &plugin.digest, &work.inner.join("plugins").join(format!("{}.wasm", plugin.digest)))?;
        }
        let states = states(&place, &generation, &work.inner)?;
        work.finish(self.dir)?;
        Ok(Restored {
            generation: generation.generation,
            made_at: generation.made_at,
            log_id: generation.log.id,
            sequence: head.sequence.0,
            recorded_at: (head.sequence > Sequence::ZERO).then(|| head.recorded_at.to_string()),
            chain_head: head.chain.to_string(),
            plugins: generation.plugins.len() as u64,
            states,
            states_left_out: generation.states.len() as u64 - states,
            has_host_key: generation.files.iter().any(|file| file.name == "host-key"),
        })
    }

    fn choose(&self, place: &Place) -> Result<Generation, BackupError> {
        if let Some(number) = self.generation {
            return self.reaching(generation(place, number)?);
        }
        let mut all = generations(place)?;
        let reaches = |generation: &Generation| match self.until {
            Until::End => false,
            Until::Sequence(wanted) => generation.log.sequence >= wanted.0,
            // Nothing that was recorded up to then can come behind a later event.
            Until::Time(time) => generation.log.head().is_some_and(|head| head.recorded_at > time),
        };
        let first = all.iter().find(|(_, generation)| reaches(generation)).map(|(number, _)| *number);
        let chosen = match first {
            Some(number) => all.remove(&number),
            None => all.pop_last().map(|(_, newest)| newest),
        };
        self.reaching(chosen.ok_or_else(|| BackupError::Empty { path: self.backup.to_owned() })?)
    }

    fn reaching(&self, generation: Generation) -> Result<Generation, BackupError> {
        match self.until {
            Until::Sequence(wanted) if wanted.0 > generation.log.sequence => {
                Err(BackupError::EndsBefore { end: Sequence(generation.log.sequence), wanted })
            }
            Until::End | Until::Sequence(_) | Until::Time(_) => Ok(generation),
        }
    }

    /// Reads blocks, verifies them and writes them into a log, each on a thread of its own.
    fn log(
        &self,
        place: &Place,
        generation: &Generation,
        dir: &Path,
        watch: &mut dyn FnMut(u64, u64),
    ) -> Result<Head, BackupError> {
        let (log_id, wanted) = (of_log(generation), generation.log.head().expect("it was checked when it was read"));
        let cut = match self.until {
            Until::End => Cut::Nowhere,
            Until::Sequence(last) => Cut::Behind(last),
            Until::Time(time) => Cut::After(time),
        };
        let options = log::Options::default();
        let mut folded = FoldedEvents::of(place, generation)?;
        let mut rebuild = Rebuild::begin(&dir.join("log.redb"), log_id, generation.log.rewrites, &options)?;
        std::thread::scope(|scope| {
            let (blocks, to_verify) = sync_channel(1);
            let (verified, to_write) = sync_channel(1);
            let reading = scope.spawn(move || read(place, generation, &blocks));
            let verifying = scope.spawn(move || verify(to_verify, &verified, cut));
            for batch in to_write {
                rebuild.add(batch, &mut || folded.next())?;
                watch(rebuild.head().sequence.0, self.last(generation));
            }
            // Who was told first of what is wrong ended the others.
            verifying.join().expect("verifying does not panic")?;
            reading.join().expect("reading does not panic")
        })?;
        let head = rebuild.head();
        folded.finish()?;
        if cut == Cut::Nowhere && head != wanted {
            let name = place.shown(&Generation::file_name(generation.generation));
            return Err(BackupError::damaged(name, "its blocks do not end where it says that the log does"));
        }
        Ok(rebuild.finish()?)
    }

    /// The last event to come, as far as that is known before.
    fn last(&self, generation: &Generation) -> u64 {
        match self.until {
            Until::Sequence(last) => last.0,
            Until::End | Until::Time(_) => generation.log.sequence,
        }
    }

    fn file(&self, place: &Place, name: &str, digest: &str, dir: &Path) -> Result<(), BackupError> {
        let path = dir.join(name);
        if name != CATALOGUE {
            return copy(place, FILES, digest, &path);
        }
        let text = whole(place, digest)?;
        let returning = returning(place, digest, &text)?;
        write(&path, &returning.text)
    }
}

/// What the log's index had of folded events.
struct FoldedEvents {
    file: String,
    digest: String,
    /// None if the log had no folded events.
    content: Option<Digested<BufReader<Content>>>,
}

impl FoldedEvents {
    fn of(place: &Place, generation: &Generation) -> Result<Self, BackupError> {
        let Some(file) = generation.files.iter().find(|file| file.name == FOLDED) else {
            return Ok(Self { file: FOLDED.to_owned(), digest: String::new(), content: None });
        };
        let name = format!("{FILES}/{}", file.digest);
        let content = BufReader::with_capacity(1 << 20, place.open(&name)?);
        let content = Some(Digested { content, hasher: blake3::Hasher::new() });
        Ok(Self { file: place.shown(&name), digest: file.digest.clone(), content })
    }

    fn next(&mut self) -> Result<Option<FoldedEvent>, BackupError> {
        let Some(content) = &mut self.content else { return Ok(None) };
        let mut bytes = [0; FoldedEvent::BYTES];
        content.read_exact(&mut bytes).map_err(|error| BackupError::damaged(&self.file, error))?;
        Ok(Some(FoldedEvent::from_bytes(&bytes)))
    }

    /// Reads what a cut left over: the digest is that of all.
    fn finish(self) -> Result<(), BackupError> {
        let Some(mut content) = self.content else { return Ok(()) };
        std::io::copy(&mut content, &mut std::io::sink()).map_err(|error| BackupError::damaged(&self.file, error))?;
        match content.hasher.finalize().to_hex().as_str() == self.digest {
            true => Ok(()),
            false => Err(BackupError::damaged(self.file, "its digest is another")),
        }
    }
}

fn of_log(generation: &Generation) -> LogId {
    generation.log.log_id().expect("it was checked when it was read")
}

type Blocks = (String, Vec<Vec<u8>>);

fn read(place: &Place, generation: &Generation, blocks: &SyncSender<Blocks>) -> Result<(), BackupError> {
    for Part { digest, first, last, .. } in &generation.segments {
        let mut segment = SegmentReader::open(place, digest)?;
        if segment.log_id != of_log(generation) {
            return Err(BackupError::damaged(segment.file(), "it is of another log"));
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(block) = segment.next_block()? {
            let damaged = |why: BadBlock| BackupError::damaged(segment.file(), why);
            let first_sequence = BlockInfo::of(&block).map_err(damaged)?.first.0;
            if !(*first..=*last).contains(&first_sequence) {
                continue;
            }
            bytes += block.len();
            batch.push(block);
            if bytes >= BATCH_BYTES {
                bytes = 0;
                // Who takes no more has come to the cut, or failed and says so.
                if blocks.send((segment.file().to_owned(), std::mem::take(&mut batch))).is_err() {
                    return Ok(());
                }
            }
        }
        if !batch.is_empty() && blocks.send((segment.file().to_owned(), batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn verify(blocks: Receiver<Blocks>, verified: &SyncSender<Vec<log::Ready>>, cut: Cut) -> Result<(), BackupError> {
    for (file, blocks) in blocks {
        let batch = BlockBatch::verified(blocks, cut).map_err(|why| BackupError::damaged(file, why))?;
        let is_over = verified.send(batch.blocks).is_err() || batch.is_last;
        if is_over {
            break;
        }
    }
    Ok(())
}

/// Restores the states that fit the log and the catalogue; says how many.
fn states(place: &Place, generation: &Generation, dir: &Path) -> Result<u64, BackupError> {
    let Some(catalogue) = generation.files.iter().find(|file| file.name == CATALOGUE) else { return Ok(0) };
    let text = whole(place, &catalogue.digest)?;
    let known: BTreeSet<_> = returning(place, &catalogue.digest, &text)?.states.into_iter().collect();
    let log = Log::open(&dir.join("log.redb"), &log::Options::default())?;
    let reader = log.reader()?;
    let mut restored = 0;
    for state in &generation.states {
        let identity: Digest = state.identity.parse().expect("it was checked when it was read");
        let is_known = known.contains(&(state.projection.clone(), identity));
        let sequence = Sequence(state.sequence);
        let fits = sequence == Sequence::ZERO
            || sequence <= reader.head().sequence && reader.chain_at(sequence)?.to_string() == state.chain_head;
        if is_known && fits {
            restore_state(place, state, identity, log.id(), dir)?;
            restored += 1;
        }
    }
    Ok(restored)
}

fn restore_state(
    place: &Place,
    state: &SavedState,
    identity: Digest,
    log_id: LogId,
    dir: &Path,
) -> Result<(), BackupError> {
    let folder = dir.join("projections").join(&state.projection);
    make_folder(&folder)?;
    let name = format!("{STATES}/{}", state.digest);
    let mut content = Digested { content: place.open(&name)?, hasher: blake3::Hasher::new() };
    let path = folder.join(format!("{identity}.redb"));
    let made = Store::of_copy(&path, identity, log_id.0, &mut std::io::BufReader::with_capacity(1 << 20, &mut content));
    let found = content.hasher.finalize().to_hex();
    if found.as_str() != state.digest {
        return Err(BackupError::damaged(place.shown(&name), format!("its digest is {found}")));
    }
    drop(made?);
    sync_folder(&folder)
}

struct Digested<R> {
    content: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.content.read(out)?;
        self.hasher.update(&out[..read]);
        Ok(read)
    }
}

fn returning(place: &Place, digest: &str, text: &[u8]) -> Result<Returning, BackupError> {
    Returning::of(text).map_err(|why| BackupError::damaged(place.shown(&format!("{FILES}/{digest}")), why))
}

fn whole(place: &Place, digest: &str) -> Result<Vec<u8>, BackupError> {
    let name = format!("{FILES}/{digest}");
    let bytes = place.read(&name, FILE_BYTES_MAX)?;
    check(place, &name, digest, Digest::of(&bytes))?;
    Ok(bytes)
}

fn check(place: &Place, name: &str, digest: &str, found: Digest) -> Result<(), BackupError> {
    match found.to_string() == digest {
        true => Ok(()),
        false => Err(BackupError::damaged(place.shown(name), format!("its digest is {found}"))),
    }
}

/// Copies a file whose digest must be its name.
fn copy(place: &Place, folder: &str, digest: &str, path: &Path) -> Result<(), BackupError> {
    let name = format!("{folder}/{digest}");
    let mut bytes = Vec::new();
    place.open(&name)?.read_to_end(&mut bytes).map_err(BackupError::file(place.path()))?;
    check(place, &name, digest, Digest::of(&bytes))?;
    write(path, &bytes)
}

/// Writes a file for its owner only; durable on return but for its name.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    make_folder(parent_of(path))?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(BackupError::file(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(BackupError::file(path))
}

fn check_empty(dir: &Path) -> Result<(), BackupError> {
    let not_empty = || BackupError::NotEmpty { path: dir.to_owned() };
    match std::fs::read_dir(dir) {
        Ok(mut files) => match files.next() {
            None => Ok(()),
            Some(_) => Err(not_empty()),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(not_empty()),
        Err(error) => Err(BackupError::file(dir)(error)),
    }
}

/// The folder beside the data directory in which it is made: `NAME.restoring/data`.
struct Work {
    outer: PathBuf,
    inner: PathBuf,
    /// Keeps another restore away.
    _lock: File,
}

impl Work {
    fn begin(dir: &Path) -> Result<Self, BackupError> {
        let mut outer = dir.components().as_path().as_os_str().to_owned();
        outer.push(".restoring");
        let outer = PathBuf::from(outer);
        make_folder(&outer)?;
        let lock = File::open(&outer).map_err(BackupError::file(&outer))?;
        if lock.try_lock().is_err() {
            return Err(BackupError::InUse { path: dir.to_owned() });
        }
        let inner = outer.join(INNER);
        for file in std::fs::read_dir(&outer).map_err(BackupError::file(&outer))? {
            if file.map_err(BackupError::file(&outer))?.file_name() != INNER {
                return Err(BackupError::InTheWay { path: outer });
            }
        }
        // What a restore that was broken off had made is verified by nobody.
        match std::fs::remove_dir_all(&inner) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(BackupError::file(&inner)(error)),
            Ok(()) | Err(_) => {}
        }
        make_folder(&inner)?;
        Ok(Self { outer, inner, _lock: lock })
    }

    /// Gives the data directory its name, once all of it is durable.
    fn finish(self, dir: &Path) -> Result<(), BackupError> {
        for folder in [&self.inner, &self.inner.join("plugins"), &self.inner.join("projections")] {
            if folder.is_dir() {
                sync_folder(folder)?;
            }
        }
        std::fs::rename(&self.inner, dir).map_err(|source| match source.kind() {
            ErrorKind::DirectoryNotEmpty => BackupError::NotEmpty { path: dir.to_owned() },
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => BackupError::MountPoint { path: dir.to_owned() },
            _ => BackupError::file(dir)(source),
        })?;
        sync_folder(parent_of(dir))
    }
}

impl Drop for Work {
    /// What failed takes no room; what is there under its own name is no longer in here.
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.outer) {
            tracing::warn!("{}: {error}", self.outer.display());
        }
    }
}
