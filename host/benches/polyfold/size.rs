//! How much disk the year takes, and how much memory its rebuild.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::data::Year;

pub(crate) fn run(year: &Year) {
    let log = std::fs::metadata(year.dir.path().join("log.redb")).unwrap();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let share = |bytes: u64| bytes as f64 / year.ndjson.len() as f64;
    let allocated = log.blocks() * 512;
    println!("\n### Size\n\n| | MiB | of the NDJSON |\n|---|---:|---:|");
    println!("| NDJSON | {:.1} | 1 |", mib(year.ndjson.len() as u64));
    println!("| log.redb, on disk | {:.1} | {:.3} |", mib(allocated), share(allocated));
    println!("| log.redb, its length | {:.1} | {:.3} |", mib(log.len()), share(log.len()));
    println!("\nThat is {:.1} bytes an event on disk.", allocated as f64 / year.events as f64);

    println!("\n### Peak memory of a rebuild of the year, of the whole process\n\n| projection | MiB |\n|---|---:|");
    for (what, projection, plugins) in [
        ("count-and-sum", "count-and-sum", ["count_and_sum"].as_slice()),
        ("on-time, behind flights-v2", "on-time", &["flights_v2", "on_time"]),
    ] {
        let dir = year.with(plugins);
        println!("| {what} | {:.0} |", mib(peak_bytes_of_rebuild(dir.path(), projection)));
    }
}

/// Runs the program itself and watches its peak, which only rises, until it is gone.
fn peak_bytes_of_rebuild(dir: &Path, projection: &str) -> u64 {
    let mut polyfold = Command::new(env!("CARGO_BIN_EXE_polyfold"));
    polyfold.arg("--data-dir").arg(dir).args(["--quiet", "projection", "rebuild", projection]);
    let mut child = polyfold.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}
