//! What the running service promises of its speed, measured from outside, beside UmaDB and PostgreSQL in the same run.
//!
//! `host/benches/service/run.sh` builds what is needed and prints Markdown; `run.sh append switch` runs only these
//! sections. This program starts every server itself, on one disk, and is the load on all of them: one thread, so that
//! it takes no more of the machine than it must. Contestants take turns, round by round, and the median counts.

mod append;
mod events;
mod host;
mod http;
mod machine;
mod postgres;
mod process;
mod rebuild;
#[path = "../../polyfold/report.rs"]
#[expect(dead_code, reason = "the rest is for the other benchmark")]
mod report;
mod subscribers;
mod switch;
#[cfg(feature = "umadb")]
mod umadb;
mod visible;
mod work;

use std::time::Instant;

const SECTIONS: [&str; 5] = ["append", "visible", "switch", "rebuild", "subscribers"];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !SECTIONS.contains(&name.as_str())) {
        eprintln!("there is no section {unknown}; there are {}", SECTIONS.join(", "));
        std::process::exit(2);
    }
    let began = Instant::now();
    process::raise_descriptor_limit();
    machine::print();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for name in SECTIONS.into_iter().filter(|name| wanted.is_empty() || wanted.iter().any(|one| one == name)) {
        runtime.block_on(run(name));
    }
    eprintln!("{:.0} s", began.elapsed().as_secs_f64());
}

async fn run(section: &str) {
    match section {
        "append" => append::run().await,
        "visible" => visible::run().await,
        "switch" => switch::run().await,
        "rebuild" => rebuild::run().await,
        "subscribers" => subscribers::run().await,
        other => unreachable!("{other} is a section"),
    }
}
