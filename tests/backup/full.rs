//! A full disk under a backup: a clear error, and what was there before stays good.

use super::text;
use crate::full_disk::Disk;
use crate::program::Environment;

#[test]
fn a_full_disk_ends_a_run_and_leaves_the_generations_before() {
    let Some(disk) = Disk::mount(32) else { return };
    let made = Environment::with_flights(2_000);
    let safe = disk.path().join("safe");
    made.ok(&["backup", text(&safe)]);
    let events = made.file("more.ndjson", crate::host::flights(20_000).as_bytes());
    made.ok(&["import", "--no-wait", text(&events)]);
    disk.fill();
    for path in [&safe, &disk.path().join("other"), &disk.path().join("one.polyfold")] {
        let refused = made.run(&["backup", text(path)]);
        assert!(refused.contains("the disk is full; make room and run it again"), "{refused}");
        assert!(refused.ends_with("exit 1\n"), "{refused}");
    }
    let verified = made.json(&["backup", "verify", text(&safe)]);
    assert_eq!(verified["generations"], serde_json::json!([1]));
    let dir = disk.path().join("restored");
    let refused = made.run(&["--data-dir", text(&dir), "restore", text(&safe)]);
    assert!(refused.contains("restored: the disk is full; make room"), "{refused}");
    assert!(!dir.exists() && !disk.path().join("restored.restoring").exists(), "it takes no room");
    disk.make_room();
    made.ok(&["backup", text(&safe)]);
    assert_eq!(made.json(&["backup", "verify", text(&safe)])["generations"], serde_json::json!([1, 2]));
    made.ok(&["--data-dir", text(&dir), "restore", text(&safe), "--generation", "1"]);
    made.ok(&["--data-dir", text(&dir), "log", "verify"]);
}
