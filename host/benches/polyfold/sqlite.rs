//! The same work over SQLite, as one would write it without polyfold: WAL, and every commit durable.

use polyfold::event::Filter;
use polyfold::log::Log;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::data::temporary;
use crate::rebuild::{Arrival, pages};

pub(crate) fn open(dir: &TempDir) -> Connection {
    let connection = Connection::open(dir.path().join("events.sqlite")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    let table = "CREATE TABLE events (sequence INTEGER PRIMARY KEY, id TEXT UNIQUE, stream TEXT, version INTEGER, \
                 type TEXT, payload BLOB, UNIQUE (stream, version))";
    connection.execute_batch(table).unwrap();
    connection
}

/// A table of the year's events, and the totals beside it.
pub(crate) struct Events {
    connection: Connection,
    _dir: TempDir,
}

impl Events {
    pub(crate) fn of(log: &Log) -> Self {
        let dir = temporary();
        let mut connection = open(&dir);
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)").unwrap();
            pages(log, &Filter::default(), |batch| {
                for event in batch.iter() {
                    let envelope = event.envelope().unwrap();
                    let (sequence, version) = (event.sequence.0.cast_signed(), event.version.0.cast_signed());
                    let row = params![
                        sequence,
                        envelope.id,
                        event.stream,
                        version,
                        event.event_type,
                        event.payload().unwrap()
                    ];
                    insert.execute(row).unwrap();
                }
            });
        }
        transaction.commit().unwrap();
        let tables = "CREATE TABLE totals (tail TEXT PRIMARY KEY, count INTEGER, sum INTEGER) WITHOUT ROWID; \
                      CREATE TABLE checkpoint (sequence INTEGER)";
        connection.execute_batch(tables).unwrap();
        Self { connection, _dir: dir }
    }

    /// Folds all arrivals: 1,000 events a transaction, an upsert each, the checkpoint with them.
    pub(crate) fn fold(&mut self) {
        self.connection.execute_batch("DELETE FROM totals; DELETE FROM checkpoint").unwrap();
        self.connection.execute("INSERT INTO checkpoint VALUES (0)", []).unwrap();
        let mut after = 0i64;
        loop {
            let transaction = self.connection.transaction().unwrap();
            let mut events = 0;
            {
                let select = "SELECT sequence, payload FROM events WHERE sequence > ? AND type = 'flight.arrived' \
                              ORDER BY sequence LIMIT 1000";
                let upsert = "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (tail) \
                              DO UPDATE SET count = count + 1, sum = sum + excluded.sum";
                let mut select = transaction.prepare_cached(select).unwrap();
                let mut upsert = transaction.prepare_cached(upsert).unwrap();
                let mut rows = select.query([after]).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    events += 1;
                    after = row.get(0).unwrap();
                    let arrival: Arrival =
                        polyfold_guest::cbor::from_slice(row.get_ref(1).unwrap().as_blob().unwrap()).unwrap();
                    if let Some(tail) = arrival.tailnum {
                        upsert.execute(params![tail, arrival.air_time.cast_signed()]).unwrap();
                    }
                }
            }
            transaction.execute("UPDATE checkpoint SET sequence = ?", [after]).unwrap();
            transaction.commit().unwrap();
            if events == 0 {
                return;
            }
        }
    }
}
