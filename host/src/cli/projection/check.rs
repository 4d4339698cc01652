//! `projection faults` and `rebuild`: what went wrong, and how to begin anew.

use super::{Client, Context, Error, status, wait};
use crate::cli::output::{count, show};
use crate::server::model::{Fault, Projection, State};

pub(super) fn faults(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    let faults: Vec<Fault> = client.get(&wait::path(name, "/faults"))?;
    if faults.is_empty() {
        context.output.remark(&format!("projection {name:?} has no faults"));
    }
    faults.iter().try_for_each(|fault| context.output.data(fault, readable))?;
    let State { quarantined, set_aside, .. } = client.get::<Projection>(&wait::path(name, ""))?.readable;
    if let Some(text) = status::quarantined(quarantined, set_aside) {
        context.output.remark(&format!("{text}; `polyfold projection quarantine {name}` lists them"));
    }
    Ok(())
}

/// A fault with all that the plugin said.
pub(in crate::cli) fn readable(fault: &Fault) -> String {
    let Fault { sequence, stream, event_type, schema_version, kind, message, .. } = fault;
    let head = format!("sequence {sequence}  {stream}  {event_type} v{schema_version}  {kind}: {message}");
    let indented = |name: &str, text: &str| match text.trim_end() {
        "" => String::new(),
        text => format!("\n  {name}:\n    {}", text.replace('\n', "\n    ")),
    };
    let listed = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("\n  {name}: {text}") };
    // What an older version recorded says nothing of fuel.
    let fuel = if fault.fuel == 0 { String::new() } else { count(fault.fuel) };
    [
        head,
        listed("plugin", &fault.plugin),
        listed("upcasters", &fault.upcasters.join(", ")),
        listed("fuel", &fuel),
        indented("output", &fault.output),
        indented("backtrace", fault.backtrace.as_deref().unwrap_or("")),
    ]
    .concat()
}

pub(super) fn rebuild(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    context.output.flush()?;
    let bar = context.output.events_bar(name, 0);
    let rebuilt = client.work::<Projection>(&wait::path(name, "/rebuild"), |progress| show(&bar, progress));
    bar.finish_and_clear();
    rebuilt?;
    let there = wait::for_one(client, context, name)?;
    let behind = wait::is_behind(&there.readable).then(|| wait::phase(&there.readable));
    status::print_short(context, there)?;
    behind.map_or(Ok(()), |phase| Err(Error::Incomplete(format!("projection {name:?} is {phase}"))))
}
