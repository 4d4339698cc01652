//! On what, when and with what it was measured.

use std::process::Command;

use crate::postgres;

pub(crate) fn print() {
    let processors = std::thread::available_parallelism().map_or(0, |number| number.get());
    println!(
        "Measured on {} on {}, {processors} processors of {}.",
        said("date", &["-u", "+%F"]),
        system(),
        processor()
    );
    println!(
        "polyfold {}, {}, {}; defaults of each, every commit synchronous. All data on {}.",
        said("git", &["describe", "--always", "--dirty"]),
        umadb(),
        postgres::version(),
        disk()
    );
}

fn system() -> String {
    format!("{} {}", said("uname", &["-s"]), said("uname", &["-r"]))
}

fn processor() -> String {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = all.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    if model.is_empty() { "an unnamed kind".to_owned() } else { model.to_owned() }
}

#[cfg(feature = "umadb")]
fn umadb() -> String {
    crate::umadb::version()
}

#[cfg(not(feature = "umadb"))]
fn umadb() -> &'static str {
    "no UmaDB"
}

/// The kind of file system below the data.
fn disk() -> String {
    let target = crate::process::target();
    said("findmnt", &["--noheadings", "--output", "FSTYPE", "--target", &target.to_string_lossy()])
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
