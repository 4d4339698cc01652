//! Durable appends: by one client, by many, and in batches, beside plain rows of the same bytes in redb and in SQLite.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use polyfold::engine::{Engine, Options};
use polyfold::event::{Envelope, NewEvent, Sequence, Timestamp, Version};
use polyfold::log::{Append, Log, Prepared};
use redb::backends::FileBackend;
use redb::{Database, StorageBackend, TableDefinition};
use rusqlite::{Connection, params};

use crate::data::{Year, temporary};
use crate::report::{Contestant, Lap, compare};
use crate::sqlite;

const ROUNDS: usize = 3;
const SINGLE_EVENTS: usize = 200;
const CLIENTS: usize = 64;
const EVENTS_A_CLIENT: usize = 50;
const BATCH: usize = 10_000;
const BATCHES: usize = 10;

const ROWS: TableDefinition<u64, &[u8]> = TableDefinition::new("rows");

pub(crate) fn run(year: &Year) {
    one_by_one(year);
    in_batches(year);
    syncs(year);
}

fn one_by_one(year: &Year) {
    let events = year.events(20_000);
    let dirs = [temporary(), temporary(), temporary(), temporary()];
    let [one, many] = [0, 1].map(|at| Engine::open(dirs[at].path(), &Options::default()).unwrap());
    let rows = Rows::new(dirs[2].path());
    let table = Mutex::new(sqlite::open(&dirs[3]));
    let mut queues: Vec<VecDeque<NewEvent>> = vec![events.into(); 4];
    let [for_one, for_many, for_rows, for_table] = queues.as_mut_slice() else { unreachable!() };
    let mut commits = 0;
    let mut appends = 0;
    let contestants = vec![
        Contestant::new("polyfold, 1 client", || {
            let taken = take(for_one, SINGLE_EVENTS);
            Lap::of(SINGLE_EVENTS, || taken.into_iter().for_each(|event| append(&one, vec![event])))
        }),
        Contestant::new(format!("polyfold, {CLIENTS} clients"), || {
            let shares: Vec<_> = (0..CLIENTS).map(|_| take(for_many, EVENTS_A_CLIENT)).collect();
            let before = many.commits();
            let lap = Lap::of(CLIENTS * EVENTS_A_CLIENT, || {
                std::thread::scope(|scope| {
                    for share in shares {
                        let many = &many;
                        scope.spawn(move || share.into_iter().for_each(|event| append(many, vec![event])));
                    }
                });
            });
            commits += many.commits() - before;
            appends += CLIENTS * EVENTS_A_CLIENT;
            lap
        }),
        Contestant::new("redb rows, 1 client, no index", || {
            let taken = take(for_rows, SINGLE_EVENTS);
            Lap::of(SINGLE_EVENTS, || taken.iter().for_each(|event| rows.insert(std::slice::from_ref(event))))
        }),
        Contestant::new("SQLite rows, 1 client, ids and versions unique", || {
            let taken = take(for_table, SINGLE_EVENTS);
            let mut table = table.lock().unwrap();
            Lap::of(SINGLE_EVENTS, || taken.iter().for_each(|event| insert(&mut table, std::slice::from_ref(event))))
        }),
    ];
    compare("Durable appends, one event each", "events", ROUNDS, contestants);
    println!("\n{CLIENTS} clients: {appends} appends shared {commits} commits.");
}

fn in_batches(year: &Year) {
    let events = year.events(BATCH * BATCHES * (ROUNDS + 1));
    let dirs = [temporary(), temporary(), temporary(), temporary()];
    let [waiting, ahead] = [0, 1].map(|at| Engine::open(dirs[at].path(), &Options::default()).unwrap());
    let rows = Rows::new(dirs[2].path());
    let mut table = sqlite::open(&dirs[3]);
    let batches: VecDeque<Vec<NewEvent>> = events.chunks(BATCH).map(<[_]>::to_vec).collect();
    drop(events);
    let mut queues: Vec<VecDeque<Vec<NewEvent>>> = vec![batches; 4];
    let [for_waiting, for_ahead, for_rows, for_table] = queues.as_mut_slice() else { unreachable!() };
    let contestants = vec![
        Contestant::new("polyfold, each waits for the one before", || {
            let taken = take(for_waiting, BATCHES);
            Lap::of(BATCH * BATCHES, || taken.into_iter().for_each(|events| append(&waiting, events)))
        }),
        Contestant::new("polyfold, one prepared while one is written", || {
            let taken = take(for_ahead, BATCHES);
            Lap::of(BATCH * BATCHES, || {
                let mut in_hand = None;
                for events in taken {
                    let prepared = Prepared::new(Append { events, expectations: Vec::new() }).unwrap();
                    if let Some(ticket) = in_hand.replace(ahead.submit(prepared)) {
                        polyfold::engine::Ticket::wait(ticket).unwrap();
                    }
                }
                in_hand.unwrap().wait().unwrap();
            })
        }),
        Contestant::new("redb rows, no index", || {
            let taken: Vec<Vec<NewEvent>> = take(for_rows, BATCHES);
            Lap::of(BATCH * BATCHES, || taken.iter().for_each(|events| rows.insert(events)))
        }),
        Contestant::new("SQLite rows, ids and versions unique", || {
            let taken: Vec<Vec<NewEvent>> = take(for_table, BATCHES);
            Lap::of(BATCH * BATCHES, || taken.iter().for_each(|events| insert(&mut table, events)))
        }),
    ];
    compare("Durable appends in batches of 10,000", "events", ROUNDS, contestants);
}

fn take<T>(queue: &mut VecDeque<T>, count: usize) -> Vec<T> {
    assert!(queue.len() >= count, "there are events for every round");
    queue.drain(..count).collect()
}

fn append(engine: &Engine, events: Vec<NewEvent>) {
    engine.append(Append { events, expectations: Vec::new() }).unwrap();
}

/// An event's envelope and payload as a log would store them, a row each.
struct Rows {
    database: Database,
    next: AtomicU64,
}

impl Rows {
    fn new(dir: &Path) -> Self {
        Self { database: Database::create(dir.join("rows.redb")).unwrap(), next: AtomicU64::new(1) }
    }

    fn insert(&self, events: &[NewEvent]) {
        let transaction = self.database.begin_write().unwrap();
        {
            let mut rows = transaction.open_table(ROWS).unwrap();
            let mut bytes = Vec::new();
            for event in events {
                let sequence = self.next.fetch_add(1, Ordering::Relaxed);
                bytes.clear();
                Envelope::of(event, Sequence(sequence), Version(1), Timestamp::now()).encode(&mut bytes);
                bytes.extend_from_slice(event.payload.as_bytes());
                rows.insert(sequence, bytes.as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

fn insert(connection: &mut Connection, events: &[NewEvent]) {
    let transaction = connection.transaction().unwrap();
    {
        let next = "INSERT INTO events (id, stream, version, type, payload) VALUES (?, ?, \
                    (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = ?2), ?, ?)";
        let mut insert = transaction.prepare_cached(next).unwrap();
        for event in events {
            let (id, stream) = (event.id.as_str(), event.stream.as_str());
            insert.execute(params![id, stream, event.event_type.as_str(), event.payload.as_bytes()]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// A file that counts how often it is told to be durable.
#[derive(Debug)]
struct Counting(FileBackend, Arc<AtomicU64>);

impl StorageBackend for Counting {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}

fn syncs(year: &Year) {
    let dir = temporary();
    let file = std::fs::File::create_new(dir.path().join("log.redb")).unwrap();
    let syncs = Arc::new(AtomicU64::new(0));
    let backend = Counting(FileBackend::new(file).unwrap(), Arc::clone(&syncs));
    let log = Log::open_with_backend(backend, &polyfold::log::Options::default()).unwrap();
    let before = syncs.load(Ordering::Relaxed);
    let commits = 100;
    for event in year.events(commits) {
        let prepared = Prepared::new(Append { events: vec![event], expectations: Vec::new() }).unwrap();
        let mut transaction = log.begin().unwrap();
        transaction.plan(prepared, Timestamp::now()).unwrap();
        transaction.commit().unwrap();
    }
    let syncs = syncs.load(Ordering::Relaxed) - before;
    println!("\nA commit of the log syncs {:.2} times.", syncs as f64 / commits as f64);
}
