//! The examples run as their READMEs say: that of the flights ends with the true figures, that of receipts finds every change.

use std::path::Path;
use std::process::Command;

use crate::guests;
use crate::program::PROGRAM;

#[test]
fn the_flights_example_counts_january() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let plugins = guests::path("on-time");
    let mut command = Command::new("bash");
    command.arg("examples/flights/run.sh").current_dir(top);
    command.env("POLYFOLD", PROGRAM).env("POLYFOLD_PLUGINS", plugins.parent().unwrap());
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let figures: Vec<_> = stdout.lines().rev().take(3).map(str::trim).collect();
    assert_eq!(
        figures,
        [
            "more than 15 late  EV 1,593, UA 976, B6 967, AA 520",
            "arrivals           UA 4,590, B6 4,413, EV 3,964, DL 3,655",
            "events             53,487 (26,483 departed, 26,398 arrived, 521 cancelled, 85 diverted)",
        ]
    );
    let readme = std::fs::read_to_string(top.join("README.md")).unwrap();
    assert!(figures.iter().all(|line| readme.contains(line)), "the README says what the example prints");
    assert!(stdout.contains("imported 0 events, 53,487 were there before"), "{stdout}");
    assert!(stdout.contains("the log is sound: 53,488 events"), "{stdout}");
    assert!(stdout.contains("projection \"on-time\" is sound"), "{stdout}");
}

#[test]
fn the_receipts_example_finds_every_change() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let plugins = guests::path("on-time");
    let mut command = Command::new("bash");
    command.arg("examples/receipts/run.sh").current_dir(top);
    command.env("POLYFOLD", PROGRAM).env("POLYFOLD_PLUGINS", plugins.parent().unwrap());
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert_eq!(stdout.matches("error: ").count(), 6, "{stdout}");
    assert!(stdout.trim_end().ends_with("Everything that was changed was refused, and by its name."), "{stdout}");
}

#[test]
fn the_backup_example_brings_everything_back() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let plugins = guests::path("on-time");
    let mut command = Command::new("bash");
    command.arg("examples/backup/run.sh").current_dir(top);
    command.env("POLYFOLD", PROGRAM).env("POLYFOLD_PLUGINS", plugins.parent().unwrap());
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.trim_end().ends_with("what was changed was refused by its name."), "{stdout}");
}
