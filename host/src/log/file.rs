//! Opening a log's file: what is none is refused with its name, and what is new is made whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend};

use super::Options;
use super::block::{self, Entry};
use super::error::Error;
use super::frozen::Frozen;
use super::index::Key;
use super::index::memtable::Memtable;
use super::index::run::{Info, Kind, Run};
use super::index::snapshot::Runs;
use super::state::State;
use super::storage::Storage;
use super::tables::{BLOCKS, FILTERS, FORMAT, LogId, META, META_KEY, Meta, PAGES, RUNS};
use super::tail::Tail;
use super::writer::{Writer, settling};
use crate::event::{Envelope, Sequence};

/// How every redb file starts.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// Opens or makes the file.
pub(super) fn open(path: &Path, name: &str, options: &Options) -> Result<Database, Error> {
    match File::open(path) {
        Ok(file) => check_magic(file, name)?,
        Err(error) if error.kind() == ErrorKind::NotFound => make(path, name, options)?,
        Err(error) => return Err(storage(error)),
    }
    let database = open_existing(path, name, options)?;
    // Nobody else has the log: what lies beside it is what a crash left of rewriting it.
    remove_if_there(&beside(path)).map_err(storage)?;
    Ok(database)
}

/// Where a log's file is made before it takes its place.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside.into()
}

pub(super) fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens the file, which must be there.
pub(super) fn open_existing(path: &Path, name: &str, options: &Options) -> Result<Database, Error> {
    let database = guarded_open(name, || builder(options).open(path))?;
    check_format(&database, name)?;
    Ok(database)
}

/// The same after the storage has failed.
pub(super) fn open_again(path: &Path, name: &str, options: &Options) -> Result<Database, Error> {
    forget_cache(path).map_err(storage)?;
    open_existing(path, name, options)
}

/// Lets the operating system's cache of a file go. After a sync that failed Linux takes pages for clean that never came
/// to the disk: it would show them until they leave the cache, and never write them.
fn forget_cache(path: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(File::open(path)?, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Opens the file, which must be there, and leaves it as it is.
pub(super) fn open_frozen(path: &Path, name: &str, options: &Options) -> Result<Database, Error> {
    let file = File::open(path).map_err(storage)?;
    check_magic(file.try_clone().map_err(storage)?, name)?;
    match Frozen::of(file).map_err(storage)? {
        Some(frozen) => open_backend(frozen, name, options),
        None => Err(Error::InUse { name: name.to_owned() }),
    }
}

/// Opens the storage, or makes a log in it when it is empty.
pub(super) fn open_backend(backend: impl StorageBackend, name: &str, options: &Options) -> Result<Database, Error> {
    let database = guarded_open(name, || builder(options).create_with_backend(backend))?;
    if guarded(name, || is_new(&database))? {
        initialise(&database)?;
    }
    check_format(&database, name)?;
    Ok(database)
}

/// Makes a log beside its place and moves it there, so that a crash leaves a log or none.
fn make(path: &Path, name: &str, options: &Options) -> Result<(), Error> {
    let beside = &beside(path);
    remove_if_there(beside).map_err(storage)?;
    let database = guarded_open(name, || builder(options).create(beside))?;
    initialise(&database)?;
    drop(database);
    fs::rename(beside, path).map_err(storage)?;
    sync_folder(path).map_err(storage)
}

/// The new name is durable only once its folder is.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

pub(super) fn builder(options: &Options) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes);
    builder
}

fn check_magic(mut file: File, name: &str) -> Result<(), Error> {
    let mut start = [0; MAGIC.len()];
    match file.read_exact(&mut start) {
        Ok(()) if start == MAGIC => Ok(()),
        Ok(()) => Err(not_a_log(name, "it is a file of another kind")),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(not_a_log(name, "it is too short")),
        Err(error) => Err(storage(error)),
    }
}

fn not_a_log(name: &str, why: impl ToString) -> Error {
    Error::NotALog { name: name.to_owned(), why: why.to_string() }
}

pub(super) fn storage(error: std::io::Error) -> Error {
    Error::Storage(Box::new(redb::Error::Io(error)))
}

/// redb panics on some damage: what it was asked is then an error like any other.
pub(super) fn guarded<T>(name: &str, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Error::damaged(name, panic_text(&*panic))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("the storage gave up on it ({text})")
}

pub(super) fn guarded_open(
    name: &str,
    open: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, Error> {
    guarded(name, || {
        open().map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Error::InUse { name: name.to_owned() },
            DatabaseError::UpgradeRequired(_) => not_a_log(name, "it is a redb file of an older format"),
            DatabaseError::RepairAborted => Error::damaged(name, "its repair was aborted"),
            DatabaseError::Storage(redb::StorageError::Corrupted(why)) => Error::damaged(name, why),
            DatabaseError::Storage(redb::StorageError::Io(error)) if is_damage(&error) => Error::damaged(name, error),
            other @ (DatabaseError::TransactionInProgress | DatabaseError::Storage(_) | _) => {
                Error::Storage(Box::new(other.into()))
            }
        })
    })
}

/// A file that ends early or has no sense in it, as against a disk that fails.
fn is_damage(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof || error.kind() == ErrorKind::InvalidData
}

fn is_new(database: &Database) -> Result<bool, Error> {
    Ok(database.begin_read()?.list_tables()?.next().is_none())
}

fn initialise(database: &Database) -> Result<(), Error> {
    initialise_as(database, LogId(*uuid::Uuid::now_v7().as_bytes()))
}

/// Makes the tables of an empty log.
pub(super) fn initialise_as(database: &Database, id: LogId) -> Result<(), Error> {
    let meta = Meta::empty(id);
    let transaction = settling(database.begin_write()?);
    transaction.open_table(META)?.insert(META_KEY, meta.encode().as_slice())?;
    transaction.open_table(BLOCKS)?;
    transaction.open_table(RUNS)?;
    transaction.open_table(PAGES)?;
    transaction.open_table(FILTERS)?;
    Ok(transaction.commit()?)
}

fn check_format(database: &Database, name: &str) -> Result<(), Error> {
    let read = || -> Result<u32, Error> {
        let foreign = || not_a_log(name, "it is a redb file of another program");
        let transaction = database.begin_read()?;
        let table = match transaction.open_table(META) {
            Ok(table) => table,
            Err(redb::TableError::Storage(error)) => return Err(error.into()),
            Err(_) => return Err(foreign()),
        };
        let row = table.get(META_KEY)?.ok_or_else(foreign)?;
        Meta::format(row.value()).map_err(|_| foreign())
    };
    match guarded(name, read)? {
        0 => Err(not_a_log(name, "its format is 0")),
        found if found > FORMAT => Err(Error::NewerFormat { name: name.to_owned(), found, known: FORMAT }),
        _ => Ok(()),
    }
}

/// Reads what must be in memory: the meta row, the list of runs, the last block and the events after the last run.
pub(super) fn load(storage: &Storage, name: &str) -> Result<(State, Writer), Error> {
    let reading = storage.begin_read()?;
    let transaction = &reading.transaction;
    let row = transaction.open_table(META)?.get(META_KEY)?.ok_or_else(|| not_a_log(name, "it has no meta row"))?;
    let meta = Meta::decode(row.value()).map_err(|why| Error::damaged(format!("the meta row of {name}"), why))?;
    let runs = Arc::new(load_runs(transaction)?);
    let (memtable, unindexed_bytes) = load_memtable(transaction, &meta)?;
    let tail = load_tail(transaction, &meta)?;
    let state = State { meta, memtable: Arc::new(RwLock::new(memtable)), runs };
    Ok((state, Writer::new(tail, unindexed_bytes)))
}

pub(super) fn load_runs(transaction: &ReadTransaction) -> Result<Runs, Error> {
    let mut runs = Runs::default();
    for row in transaction.open_table(RUNS)?.iter()? {
        let (number, bytes) = row?;
        let number = number.value();
        let info =
            Info::decode(number, bytes.value()).map_err(|why| Error::damaged(format!("index run {number}"), why))?;
        match info.kind {
            Kind::Ids => runs.ids.push(Arc::new(Run::new(info))),
            Kind::Streams => runs.streams.push(Arc::new(Run::new(info))),
        }
    }
    runs.ids.sort_by_key(|run| run.info.first);
    runs.streams.sort_by_key(|run| run.info.first);
    Ok(runs)
}

fn load_tail(transaction: &ReadTransaction, meta: &Meta) -> Result<Option<Tail>, Error> {
    if meta.tail == Sequence::ZERO {
        return Ok(None);
    }
    let damaged = |why: &str| Error::damaged(format!("block {}", meta.tail), why);
    let stored = transaction.open_table(BLOCKS)?.get(meta.tail.0)?.ok_or_else(|| damaged("it is missing"))?;
    let read = || {
        let opened = block::open(stored.value())?;
        let parts = opened.body()?.parts()?;
        Ok(Tail { header: opened.header, parts })
    };
    let tail = read().map_err(|why: super::bytes::Malformed| damaged(why.0))?;
    if tail.header.last() != meta.head.sequence || tail.header.chain_after != meta.head.chain {
        return Err(damaged("it does not end where the log ends"));
    }
    Ok(Some(tail))
}

/// The index of the events that no run holds, and the bytes of their blocks.
fn load_memtable(transaction: &ReadTransaction, meta: &Meta) -> Result<(Memtable, usize), Error> {
    let first = meta.indexed.next();
    let mut memtable = Memtable::new(first);
    let mut bytes = 0;
    if first > meta.head.sequence {
        return Ok((memtable, bytes));
    }
    let blocks = transaction.open_table(BLOCKS)?;
    let start = blocks.range(..=first.0)?.next_back().transpose()?.map_or(0, |(start, _)| start.value());
    for row in blocks.range(start..)? {
        let (start, stored) = row?;
        let damaged = |why: &dyn std::fmt::Display| Error::damaged(format!("block {}", start.value()), why);
        let opened = block::open(stored.value()).map_err(|why| damaged(&why))?;
        let body = opened.body().map_err(|why| damaged(&why))?;
        bytes += opened.raw_bytes();
        let from = first.max(body.first);
        for index in body.index_of(from).map_err(|why| damaged(&why))?..body.records {
            // What is not indexed yet is never folded.
            let Entry::Event(_, record) = body.entry(index).map_err(|why| damaged(&why))? else {
                return Err(damaged(&"it has a run of events that no index holds"));
            };
            let envelope = Envelope::decode(&body.bytes[record.envelope]).map_err(|why| damaged(&why))?;
            memtable.push(Key::of(envelope.id), Key::of(envelope.head.stream), envelope.head.version);
        }
    }
    if memtable.len() as u64 != meta.head.sequence.0 - meta.indexed.0 {
        return Err(Error::damaged("the log", "its blocks do not reach its head"));
    }
    Ok((memtable, bytes))
}
