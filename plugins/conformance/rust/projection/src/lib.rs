//! The conformance projection in Rust: see ../../README.md, the specification that it decides.

mod numbers;
mod store;

use polyfold_guest::log::{self, Level};
use polyfold_guest::{Error, Event, Manifest, Projection, bail, export_projection};
use serde::Deserialize;

#[derive(Debug)]
pub struct Conformance;

export_projection!(Conformance);

impl Projection for Conformance {
    fn describe() -> Manifest {
        let description = "what every language must make of the same events";
        Manifest::new("conformance", env!("CARGO_PKG_VERSION"), description).event_types(["probe"]).view(
            "echoes",
            "echo/",
            "values as they came",
        )
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        events.iter().try_for_each(apply)
    }
}

#[derive(Deserialize)]
struct Op<'a> {
    op: &'a str,
}

fn apply(event: &Event) -> Result<(), Error> {
    match event.payload::<Op<'_>>()?.op {
        "echo" => store::echo(event.payload()?),
        "delete" => store::delete(event.payload()?),
        "sum" => numbers::sum(event.payload()?),
        "divide" => numbers::divide(event.payload()?),
        "floats" => numbers::floats(event.payload()?),
        "text" => store::text(event.payload()?),
        "large" => store::large(event.payload()?),
        "fill" => store::fill(event.payload()?),
        "scan" => store::scan(event, event.payload()?),
        "many" => store::many(event, event.payload()?),
        "write" => store::write(event.payload()?),
        "context" => store::context(event),
        "parameters" => store::parameters(),
        "log" => write_log(event.payload()?),
        "fail" => fail(event.payload()?),
        unknown => bail!("unknown op {unknown}"),
    }
}

#[derive(Deserialize)]
struct Log<'a> {
    level: &'a str,
    message: &'a str,
}

fn write_log(Log { level, message }: Log<'_>) -> Result<(), Error> {
    let level = match level {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        other => bail!("unknown level {other}"),
    };
    log::write(level, message);
    Ok(())
}

#[derive(Deserialize)]
struct Fail<'a> {
    message: &'a str,
}

fn fail(Fail { message }: Fail<'_>) -> Result<(), Error> {
    bail!("{message}")
}

#[cfg(test)]
mod tests;
