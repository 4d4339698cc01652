//! Runs one after the other, broken off anywhere, and what is restored of them.

use super::*;

/// Restores and compares everything with the directory that was backed up, which nobody has open.
fn check_restored(test: &Test, path: &Path) {
    let dir = test.path("restored");
    let restored = restore(path, &dir, Until::End, None).unwrap();
    for name in ["trust.toml", "tokens.json", "host-key", "catalogue.json"] {
        let [old, new] = [test.dir.path(), &dir].map(|dir| std::fs::read(dir.join(name)).unwrap());
        assert_eq!(String::from_utf8_lossy(&old), String::from_utf8_lossy(&new), "{name}");
    }
    std::os::unix::fs::symlink(guests::shared_cache(), dir.join("cache")).unwrap();
    let [old, new] = [test.dir.path(), &dir].map(|dir| Engine::open(dir, &Options::default()).unwrap());
    assert_eq!((old.log().id(), old.log().head()), (new.log().id(), new.log().head()));
    assert_eq!(restored.chain_head, new.log().head().chain.to_string());
    let verify = |engine: &Engine| engine.log().verify(&mut |_| {}).unwrap();
    assert_eq!(verify(&old), verify(&new));
    let root = |engine: &Engine| engine.log().event_root(engine.log().head().sequence).unwrap();
    assert_eq!(root(&old), root(&new));
    assert_eq!(old.host_key().unwrap(), new.host_key().unwrap());
    // The state came along: nothing was built from the log.
    let [old, new] = [&old, &new].map(|engine| engine.reader("counts").unwrap());
    assert!(old.checkpoint().sequence > Sequence::ZERO);
    assert_eq!((old.checkpoint(), old.digest().unwrap()), (new.checkpoint(), new.digest().unwrap()));
    assert_eq!(old.faults().unwrap(), new.faults().unwrap());
    assert!(!new.faults().unwrap().is_empty());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn each_run_adds_only_what_is_new_and_everything_comes_back() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.furnish(&engine);
    for (round, events) in [900, 1, 0, 300, 40].into_iter().enumerate() {
        if events > 0 {
            test.append(&engine, events);
        }
        Test::settle(&engine);
        let made = backup(&engine, &path, Shape::Directory, Keep::default(), time(round as i64)).unwrap();
        let Generation { generation, new_bytes, bytes, segments, .. } = made.generation;
        assert_eq!(generation, round as u64 + 1);
        println!("{events} events: {new_bytes} new bytes of {bytes}, {} parts", segments.len());
        // The last block comes again, up to 64 KiB of it, and the state.
        assert!(round == 0 || new_bytes < 1_100 * events as u64 + 150_000, "{new_bytes} for {events} events");
        assert!(events > 0 || new_bytes == 0, "{new_bytes}");
        assert_eq!(sound(&path).generations.len(), round + 1);
    }
    let file = test.path("backup.polyfold");
    let made = backup(&engine, &file, Shape::File, Keep::default(), time(9)).unwrap();
    assert_eq!((made.generation.generation, made.generation.bytes), (1, made.generation.new_bytes));
    let verified = [sound(&path), sound(&file)].map(|it| (it.sequence, it.chain_head));
    assert_eq!(verified[0], verified[1]);
    drop(engine);
    check_restored(&test, &path);
    check_restored(&test, &file);
    let again = backup(&test.engine(), &file, Shape::File, Keep::default(), time(9)).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");
}

#[test]
fn a_run_that_is_broken_off_anywhere_is_finished_by_another() {
    let mut test = Test::new();
    for shape in [Shape::Directory, Shape::File] {
        let path = test.path(if shape == Shape::File { "backup.polyfold" } else { "backup" });
        let engine = test.engine();
        if shape == Shape::Directory {
            test.furnish(&engine);
        }
        test.append(&engine, 1500);
        Test::settle(&engine);
        let mut before = 0;
        for _ in 0..8 {
            let mut writer = open(&path, shape).unwrap();
            let request = writer.request(true);
            let since = request.since.as_ref().map_or(0, |since| since.sequence);
            assert!(since >= before, "{since}, but {before} were there");
            let stream = sent(&engine, &request).unwrap().concat();
            let part = &stream[..test.random.usize(..stream.len())];
            part.chunks(test.random.usize(1000..50_000)).try_for_each(|piece| writer.take(piece)).unwrap();
            let reached = writer.reached().sequence.0;
            drop(writer);
            // All but the segment in hand is there for the next run: some 100 events, and the block behind them.
            let writer = open(&path, shape).unwrap();
            before = writer.request(true).since.map_or(0, |since| since.sequence);
            assert!(before + 250 >= reached.max(since), "{before} of {reached} are left");
            let whole = if shape == Shape::File { test.path("backup.polyfold.part") } else { path.clone() };
            drop(writer);
            if shape == Shape::Directory && whole.join("backup.json").exists() {
                let verified = verify_backup(&path, &mut |_, _| {});
                assert!(matches!(verified, Err(BackupError::Empty { .. })) || verified.unwrap().generations.is_empty());
                assert!(matches!(list_backup(&path), Err(BackupError::Empty { .. })));
            }
            test.append(&engine, 20);
        }
        Test::settle(&engine);
        backup(&engine, &path, shape, Keep::default(), time(0)).unwrap();
        sound(&path);
        drop(engine);
        check_restored(&test, &path);
    }
}

#[test]
fn a_directory_is_restored_as_it_was_at_an_event_or_a_time() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.furnish(&engine);
    test.append(&engine, 700);
    Test::settle(&engine);
    backup(&engine, &path, Shape::Directory, Keep::default(), time(1)).unwrap();
    test.append(&engine, 500);
    Test::settle(&engine);
    backup(&engine, &path, Shape::Directory, Keep::default(), time(2)).unwrap();
    let reader = engine.log().reader().unwrap();
    for (wanted, generation, states) in [(0, 1, 0), (1, 1, 0), (699, 1, 0), (700, 1, 1), (701, 2, 0), (1200, 2, 1)] {
        let dir = test.path("restored");
        let restored = restore(&path, &dir, Until::Sequence(Sequence(wanted)), None).unwrap();
        assert_eq!((restored.generation, restored.sequence, restored.states), (generation, wanted, states), "{wanted}");
        assert_eq!(restored.chain_head, reader.chain_at(Sequence(wanted)).unwrap().to_string());
        let anew = Engine::open(&dir, &Options::default()).unwrap();
        assert_eq!(anew.log().verify(&mut |_| {}).unwrap().events, wanted);
        drop(anew);
        std::fs::remove_dir_all(&dir).unwrap();
    }
    // All of an append has one time: what is restored ends with the first append, or with nothing.
    let dir = test.path("restored");
    let first = reader.block_of(Sequence::FIRST).unwrap().first_recorded_at;
    let restored = restore(&path, &dir, Until::Time(first), None).unwrap();
    assert_eq!((restored.generation, restored.sequence), (2, 700));
    std::fs::remove_dir_all(&dir).unwrap();
    let before = Timestamp::from_micros(first.micros() - 1).unwrap();
    assert_eq!(restore(&path, &dir, Until::Time(before), None).unwrap().sequence, 0);
    std::fs::remove_dir_all(&dir).unwrap();
    let beyond = restore(&path, &dir, Until::Sequence(Sequence(1201)), None).unwrap_err().to_string();
    assert_eq!(beyond, "the backup ends at sequence 1200, before 1201; restore to what it has, or use a later backup");
    let old = restore(&path, &dir, Until::Sequence(Sequence(701)), Some(1)).unwrap_err();
    assert!(matches!(old, BackupError::EndsBefore { .. }), "{old}");
    assert!(!dir.exists());
}

#[test]
fn another_log_another_history_and_a_log_that_lost_events_are_refused() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.append(&engine, 100);
    backup(&engine, &path, Shape::Directory, Keep::default(), time(1)).unwrap();
    let other = Test::new();
    let refused = backup(&other.engine(), &path, Shape::Directory, Keep::default(), time(1)).unwrap_err().to_string();
    assert!(refused.contains("the backup does not fit this log: it is of log"), "{refused}");
    // The host is not believed either.
    let mut writer = open(&path, Shape::Directory).unwrap();
    let pieces = sent(&other.engine(), &BackupRequest::default()).unwrap();
    let refused = pieces.iter().try_for_each(|piece| writer.take(piece)).unwrap_err();
    assert!(matches!(refused, BackupError::OtherLog { .. }), "{refused}");
    drop(writer);
    let dir = test.path("restored");
    restore(&path, &dir, Until::Sequence(Sequence(60)), None).unwrap();
    let fork = Engine::open(&dir, &Options::default()).unwrap();
    let refused = backup(&fork, &path, Shape::Directory, Keep::default(), time(2)).unwrap_err().to_string();
    assert!(refused.contains("it ends at sequence 100, the log at 60: the log lost events"), "{refused}");
    test.append(&fork, 60);
    let refused = backup(&fork, &path, Shape::Directory, Keep::default(), time(2)).unwrap_err().to_string();
    assert!(refused.contains("it is of another history of the log; back up into another directory"), "{refused}");
    assert_eq!(sound(&path).generations, [1]);
}

#[test]
fn one_process_at_a_time_has_a_backup() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.append(&engine, 10);
    backup(&engine, &path, Shape::Directory, Keep::default(), time(1)).unwrap();
    let writing = open(&path, Shape::Directory).unwrap();
    assert!(matches!(open(&path, Shape::Directory), Err(BackupError::InUse { .. })));
    assert!(matches!(list_backup(&path), Err(BackupError::InUse { .. })));
    let refused = restore(&path, &test.path("restored"), Until::End, None).unwrap_err().to_string();
    assert_eq!(
        refused,
        format!("backup {} is in use by another process; wait until it is done, or name another", path.display())
    );
    drop(writing);
    sound(&path);
}

#[test]
fn a_log_that_wrote_old_blocks_anew_is_compared_block_by_block() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.append(&engine, 700);
    let first = backup(&engine, &path, Shape::Directory, Keep::default(), time(1)).unwrap().generation;
    // As if the log had been at another count then.
    let mut changed = first.clone();
    changed.log.rewrites = 5;
    std::fs::write(path.join(Generation::file_name(1)), manifest::seal(&changed)).unwrap();
    test.append(&engine, 50);
    let second = backup(&engine, &path, Shape::Directory, Keep::default(), time(2)).unwrap().generation;
    assert_eq!((second.log.sequence, second.log.rewrites), (750, 0));
    assert!(second.new_bytes < 200_000, "{}", second.new_bytes);
    assert_eq!(second.segments[0], first.segments[0]);
    sound(&path);
}

#[test]
fn many_small_runs_do_not_make_a_long_list() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    test.append(&engine, 300);
    let mut most = 0;
    for run in 0..50 {
        test.append(&engine, 10);
        let made = backup(&engine, &path, Shape::Directory, Keep { last: Some(2), within: None }, time(run)).unwrap();
        most = most.max(made.generation.segments.len());
    }
    assert!(most <= 24, "{most} parts");
    assert!(files(&path.join("blocks")).len() <= 60, "what nobody needs is gone");
    sound(&path);
    let dir = test.path("restored");
    assert_eq!(restore(&path, &dir, Until::End, None).unwrap().sequence, 800);
    assert_eq!(Engine::open(&dir, &Options::default()).unwrap().log().head(), engine.log().head());
}

#[test]
fn snapshots_go_along_and_come_back_where_they_fit_the_log() {
    let mut test = Test::new();
    let engine = test.engine();
    test.furnish(&engine);
    for _ in 0..3 {
        test.append(&engine, 200);
        Test::settle(&engine);
        engine.take_snapshot("counts").unwrap();
    }
    let (path, digests) = (test.path("safe"), digests(&engine));
    let made = backup(&engine, &path, Shape::Directory, Keep::default(), time(1)).unwrap();
    assert_eq!((made.generation.format, made.generation.snapshots.len()), (2, 1));
    // Nothing is new the second time.
    let again = backup(&engine, &path, Shape::Directory, Keep::default(), time(2)).unwrap();
    assert_eq!((again.generation.snapshots, again.generation.new_bytes), (made.generation.snapshots, 0));
    engine.remove_snapshot("counts", Sequence(600)).unwrap();
    let fewer = backup(&engine, &path, Shape::Directory, Keep::default(), time(3)).unwrap();
    assert!(fewer.generation.new_bytes > 0);
    sound(&path);
    drop(engine);
    for (until, generation, count) in [
        (Until::End, 1, 3),
        (Until::End, 3, 2),
        (Until::Sequence(Sequence(599)), 1, 2),
        (Until::Sequence(Sequence(7)), 1, 0),
    ] {
        let dir = test.path(&format!("restored-{generation}-{count}"));
        let restored = restore(&path, &dir, until, Some(generation)).unwrap();
        assert_eq!(restored.snapshots, count);
        assert_eq!(dir.join("projections/counts/snapshots.redb").exists(), count > 0);
        let engine = Engine::open(&dir, &Options::default()).unwrap();
        assert_eq!(self::digests(&engine), digests[..count as usize]);
    }
}

/// Of each snapshot, where it is and what it holds.
fn digests(engine: &Engine) -> Vec<(Sequence, crate::event::Digest)> {
    engine.snapshots("counts").unwrap().iter().map(|it| (it.sequence, it.digest)).collect()
}
