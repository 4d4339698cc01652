//! A flipped bit anywhere in a backup is found and named, and nothing is restored of it.

use super::*;

/// Flips one bit of a file and says what a verification finds; the bit is as it was afterwards.
fn flipped(backup: &Path, file: &Path, bit: u64) -> Result<Vec<String>, BackupError> {
    let whole = std::fs::read(file).unwrap();
    let mut damaged = whole.clone();
    damaged[(bit / 8) as usize] ^= 1 << (bit % 8);
    std::fs::write(file, damaged).unwrap();
    let verified = verify_backup(backup, &mut |_, _| {});
    let dir = backup.with_extension("restored");
    let restored = restore(backup, &dir, Until::End, None);
    std::fs::write(file, whole).unwrap();
    assert!(restored.is_err(), "{}: bit {bit} is flipped, and it is restored", file.display());
    assert!(!dir.exists(), "nothing is left");
    verified.map(|verified| verified.damaged)
}

fn made(test: &mut Test, shape: Shape) -> PathBuf {
    let path = test.path(if shape == Shape::File { "backup.polyfold" } else { "backup" });
    let engine = test.engine();
    if engine.log().head().sequence == Sequence::ZERO {
        test.furnish(&engine);
        test.append(&engine, 120);
        Test::settle(&engine);
    }
    backup(&engine, &path, shape, Keep::default(), time(1)).unwrap();
    path
}

#[test]
fn in_every_file_of_a_directory() {
    let mut test = Test::new();
    let path = made(&mut test, Shape::Directory);
    let files = files(&path);
    assert!(files.len() >= 10, "{files:?}");
    for file in &files {
        let bits = std::fs::metadata(file).unwrap().len() * 8;
        for _ in 0..12 {
            let bit = test.random.u64(..bits);
            let name = file.file_name().unwrap().to_str().unwrap();
            match flipped(&path, file, bit) {
                Ok(damaged) => {
                    assert!(damaged.iter().any(|line| line.contains(name)), "{name}, bit {bit}: {damaged:?}");
                }
                Err(error) => {
                    // A format that is none, or a mark under another name.
                    assert!(error.to_string().contains(name), "{name}, bit {bit}: {error}");
                }
            }
        }
    }
    sound(&path);
    for file in &files {
        let aside = test.path("aside");
        std::fs::rename(file, &aside).unwrap();
        match verify_backup(&path, &mut |_, _| {}) {
            Ok(verified) => assert!(!verified.damaged.is_empty(), "{} is gone", file.display()),
            Err(error) => {
                assert!(matches!(error, BackupError::NotABackup { .. } | BackupError::Empty { .. }), "{error}")
            }
        }
        std::fs::rename(&aside, file).unwrap();
    }
}

#[test]
fn in_every_part_of_an_archive() {
    let mut test = Test::new();
    let path = made(&mut test, Shape::File);
    let bits = std::fs::metadata(&path).unwrap().len() * 8;
    let mut places: Vec<u64> = (0..60).map(|_| test.random.u64(..bits)).collect();
    places.extend((0..60).map(|_| bits - 1 - test.random.u64(..1024 * 8 + 4096)));
    places.extend((0..60).map(|_| test.random.u64(..512 * 8)));
    for bit in places {
        match flipped(&path, &path, bit) {
            Ok(damaged) => assert!(damaged[0].contains("backup.polyfold"), "bit {bit}: {damaged:?}"),
            Err(error) => assert!(error.to_string().contains("backup.polyfold"), "bit {bit}: {error}"),
        }
    }
    let whole = std::fs::read(&path).unwrap();
    for _ in 0..20 {
        std::fs::write(&path, &whole[..test.random.usize(..whole.len())]).unwrap();
        assert!(verify_backup(&path, &mut |_, _| {}).is_err(), "it is cut off");
    }
    std::fs::write(&path, whole).unwrap();
    sound(&path);
}

#[test]
fn a_backup_that_is_damaged_is_not_gone_on_from() {
    let mut test = Test::new();
    let path = made(&mut test, Shape::Directory);
    let segment = &files(&path.join("blocks"))[0];
    std::fs::remove_file(segment).unwrap();
    let refused = open(&path, Shape::Directory).unwrap_err().to_string();
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(refused.contains(name) && refused.contains("is damaged: it is missing"), "{refused}");
}

#[test]
fn names_in_a_generation_lead_nowhere_else() {
    let mut test = Test::new();
    let path = made(&mut test, Shape::Directory);
    let generation = list_backup(&path).unwrap().remove(0);
    for name in ["../evil", "/tmp/evil", "..", "", "a/b"] {
        let mut changed = generation.clone();
        changed.files[1].name = name.to_owned();
        std::fs::write(path.join(Generation::file_name(1)), manifest::seal(&changed)).unwrap();
        let refused = restore(&path, &test.path("restored"), Until::End, None).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged { .. }), "{name}: {refused}");
    }
}

#[test]
fn what_is_no_backup_and_what_is_in_the_way_is_left_alone() {
    let mut test = Test::new();
    let path = made(&mut test, Shape::Directory);
    let other = test.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("letter"), "dear").unwrap();
    assert!(matches!(open(&other, Shape::Directory), Err(BackupError::OtherFiles { .. })));
    assert!(matches!(list_backup(&other), Err(BackupError::NotABackup { .. })));
    let refused = restore(&path, &other, Until::End, None).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(other.join("letter")).unwrap(), "dear");
    let letter = other.join("letter");
    assert!(matches!(restore(&path, &letter, Until::End, None), Err(BackupError::NotEmpty { .. })));
    assert!(matches!(list_backup(&letter), Err(BackupError::NotABackup { .. })));
    std::fs::write(test.path("x.polyfold.part"), vec![7; 2000]).unwrap();
    assert!(matches!(open(&test.path("x.polyfold"), Shape::File), Err(BackupError::Exists { .. })));
    assert_eq!(std::fs::read(test.path("x.polyfold.part")).unwrap(), [7; 2000]);
    // Beside the data directory lies something that no restore left.
    let dir = test.path("data");
    std::fs::create_dir_all(test.path("data.restoring/data")).unwrap();
    std::fs::write(test.path("data.restoring/mine"), "").unwrap();
    assert!(matches!(restore(&path, &dir, Until::End, None), Err(BackupError::InTheWay { .. })));
    std::fs::remove_file(test.path("data.restoring/mine")).unwrap();
    std::fs::write(test.path("data.restoring/data/log.redb"), "half").unwrap();
    std::fs::create_dir(&dir).unwrap();
    restore(&path, &dir, Until::End, None).unwrap();
    assert!(!test.path("data.restoring").exists());
}
