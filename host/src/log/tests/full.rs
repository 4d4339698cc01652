//! The disk is full: appends are refused, reads go on, and with room again all goes on.

use super::*;
use crate::crash::CrashingDisk;

/// Runs are written and merged often, and little is in the cache, so that reads and writes meet the disk.
fn small() -> Options {
    Options { memtable_events: 20, cache_bytes: 64 << 10, ..Options::default() }
}

fn append_of(number: usize) -> Append {
    let event =
        |index| event(&format!("a/{}", index % 7), "t", &format!("{number} {index}"), &vec![number as u8; 1000]);
    Append { events: (0..10).map(event).collect(), expectations: vec![] }
}

/// Everything that can be read of the log as it is now.
fn check(log: &Log, events: u64) {
    assert_eq!(log.head().sequence, Sequence(events));
    assert_eq!(read_all(&log.reader().unwrap(), Sequence::FIRST, &Filter::all()), (1..=events).collect::<Vec<_>>());
    assert_eq!(verify(log).unwrap().events, events);
    log.stats().unwrap();
}

#[test]
fn a_full_disk_refuses_appends_while_reads_go_on_until_there_is_room() {
    for room in [0, 1, 4, 12, 40, 120] {
        println!("room for {room} blocks");
        let disk = CrashingDisk::default();
        let backend = disk.clone();
        let log = Log::open_with_backends(move || backend.clone(), &small()).unwrap();
        let mut taken = 0;
        let mut next = |log: &Log| {
            append(log, append_of(taken), time(taken as i64)).inspect(|_| taken += 1).map(|_| taken as u64 * 10)
        };
        let mut events = 0;
        (0..30).for_each(|_| events = next(&log).unwrap());
        let before = log.reader().unwrap();
        for _ in 0..2 {
            disk.leave_room(Some(room));
            let mut refused = 0;
            while refused < 2 {
                match next(&log) {
                    Ok(appended) => events = appended,
                    Err(PlanError::Log(error)) if error.is_disk_full() => {
                        refused += 1;
                        // Settling may need room, too, and leaves the log open all the same.
                        drop(log.settle());
                        check(&log, events);
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
            disk.leave_room(None);
            events = next(&log).unwrap();
            check(&log, events);
            log.settle().unwrap();
        }
        // A reader of before gets what it would have read, or an error.
        if let Ok(page) = before.read(&Query { from: Sequence(150), to: None, filter: Filter::all() }, 1, 0) {
            assert_eq!(page.batch.event(0).sequence, Sequence(150));
            assert_eq!(page.batch.event(0).payload().unwrap(), vec![14; 1000]);
        }
        drop((before, log));
        let log = Log::open_with_backend(disk, &small()).unwrap();
        check(&log, events);
    }
}

#[test]
fn a_file_is_opened_anew_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log.redb"), &small()).unwrap();
    (0..10).for_each(|number| drop(append(&log, append_of(number), time(0)).unwrap()));
    let reader = log.reader().unwrap();
    let error = Error::Storage(Box::new(redb::Error::PreviousIo));
    log.reopen_after(&error, &mut log.lock_writer());
    check(&log, 100);
    let page = reader.read(&Query { from: Sequence(50), to: None, filter: Filter::all() }, 1, 0);
    assert!(page.is_err() || page.unwrap().batch.event(0).payload().unwrap() == vec![4; 1000]);
    append(&log, append_of(10), time(0)).unwrap();
    check(&log, 110);
}
