//! `projection faults`, `rebuild` and `verify`: what went wrong, and whether the state can be trusted.

use super::{Client, Context, Error, status, wait};
use crate::cli::output::{count, show};
use crate::server::model::{Fault, Projection, Verified};

pub(super) fn faults(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    let faults: Vec<Fault> = client.get(&wait::path(name, "/faults"))?;
    if faults.is_empty() {
        context.output.remark(&format!("projection {name:?} has no faults"));
    }
    faults.iter().try_for_each(|fault| context.output.data(fault, readable))
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

pub(super) fn verify(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    let readable = wait::for_one(client, context, name)?.readable;
    if wait::is_behind(&readable) {
        let phase = wait::phase(&readable);
        context.output.warn(&format!("projection {name:?} is {phase}; this verifies what it has come to"));
    }
    let bar = context.output.events_bar(name, 0);
    let verified = client.work::<Verified>(&wait::path(name, "/verify"), |progress| show(&bar, progress));
    bar.finish_and_clear();
    let verified = verified?;
    context.output.data(&verified, |verified| match verified.same {
        true => format!(
            "projection {:?} is sound: {} entries at sequence {}, rebuilt with other batch sizes to the same digest {}",
            verified.projection,
            count(verified.entries),
            count(verified.sequence),
            verified.digest
        ),
        false => format!("digest {}, rebuilt {}", verified.digest, verified.rebuilt_digest),
    })?;
    let Some(difference) = verified.difference else { return Ok(()) };
    Err(Error::Found(format!(
        "projection {name:?} is not deterministic, or its state was changed: {difference}; \
         if a rebuild does not mend it, its plugin depends on something other than the events"
    )))
}
