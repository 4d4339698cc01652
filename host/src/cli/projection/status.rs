//! `projection list` and `projection status`: how far projections are.

use serde::Serialize;

use super::{Client, Context, Error, wait};
use crate::cli::output::{count, count_of, size};
use crate::cli::plugin::signer;
use crate::server::model::{OnFault, Projection, Signature, State};

/// A projection as programs read it: the state that readers see first.
#[derive(Serialize)]
struct Row {
    name: String,
    plugin: String,
    plugin_signature: Option<Signature>,
    identity: String,
    sync: bool,
    is_serving: bool,
    building: Option<Beside>,
    auto_promote: bool,
    previous: Option<Beside>,
    on_fault: OnFault,
    parameters: String,
    phase: String,
    checkpoint: u64,
    head: u64,
    lag: u64,
    lag_seconds: f64,
    events: u64,
    fuel: u64,
    faults: u64,
    entries: u64,
    file_bytes: u64,
    last_error: Option<String>,
    last_progress_at: Option<String>,
}

/// Another of its states.
#[derive(Serialize)]
struct Beside {
    identity: String,
    plugin: String,
    phase: String,
    checkpoint: u64,
}

impl Beside {
    fn of(state: &State) -> Self {
        let State { identity, plugin, checkpoint, .. } = state.clone();
        Self { identity, plugin, phase: wait::phase(state), checkpoint }
    }

    fn text(&self) -> String {
        format!("{}, {} at sequence {}, {}", self.plugin, self.identity, count(self.checkpoint), self.phase)
    }
}

impl From<Projection> for Row {
    fn from(projection: Projection) -> Self {
        let phase = wait::phase(&projection.readable);
        let Projection { name, sync, auto_promote, head, readable, is_serving, building, previous } = projection;
        Self {
            name,
            plugin: readable.plugin,
            plugin_signature: readable.plugin_signature,
            identity: readable.identity,
            sync,
            is_serving,
            building: building.as_ref().map(Beside::of),
            auto_promote,
            previous: previous.as_ref().map(Beside::of),
            on_fault: readable.on_fault,
            parameters: readable.parameters.text(),
            phase,
            checkpoint: readable.checkpoint,
            head,
            lag: readable.lag,
            lag_seconds: readable.lag_seconds,
            events: readable.events,
            fuel: readable.fuel,
            faults: readable.faults,
            entries: readable.entries,
            file_bytes: readable.file_bytes,
            last_error: readable.last_error,
            last_progress_at: readable.last_progress_at,
        }
    }
}

pub(super) fn list(client: &mut Client, context: &mut Context) -> Result<(), Error> {
    let projections: Vec<Projection> = client.get("/projections")?;
    if projections.is_empty() {
        context.output.remark("there are no projections; `polyfold projection create NAME --plugin PLUGIN` makes one");
    }
    for projection in projections {
        context.output.data(&Row::from(projection), |row| {
            let building = row.building.as_ref().map_or_else(String::new, |new| format!("; building {}", new.text()));
            let checkpoint = count(row.checkpoint);
            format!("{:<24} {:<24} {}, checkpoint {checkpoint}{building}", row.name, row.plugin, row.phase)
        })?;
    }
    Ok(())
}

pub(super) fn status(client: &mut Client, context: &mut Context, name: Option<&str>) -> Result<(), Error> {
    let projections = match name {
        Some(name) => vec![client.get(&wait::path(name, ""))?],
        None => client.get("/projections")?,
    };
    projections.into_iter().try_for_each(|projection: Projection| context.output.data(&projection.into(), long))
}

fn long(row: &Row) -> String {
    let beside = |state: &Option<Beside>| state.as_ref().map_or_else(|| "-".to_owned(), Beside::text);
    let on_fault = match row.on_fault {
        OnFault::Halt => "halt",
        OnFault::Skip => "skip",
    };
    let rows = [
        ("projection", row.name.clone() + if row.sync { ", sync" } else { "" }),
        ("plugin", format!("{}, {}", row.plugin, signer(row.plugin_signature.as_ref()))),
        ("identity", row.identity.clone()),
        ("building", beside(&row.building)),
        ("previous", beside(&row.previous)),
        ("parameters", row.parameters.clone()),
        ("state", row.phase.clone()),
        ("checkpoint", format!("{} of {}, {} behind", count(row.checkpoint), count(row.head), count(row.lag))),
        ("events", format!("{} folded, {} fuel", count(row.events), count(row.fuel))),
        ("faults", format!("{}, on fault {on_fault}", count(row.faults))),
        ("entries", format!("{}, file {}", count(row.entries), size(row.file_bytes))),
    ];
    rows.map(|(name, value)| format!("{name:<11} {value}")).join("\n")
}

/// The short form, after something was done with a projection.
pub(super) fn print_short(context: &mut Context, projection: Projection) -> Result<(), Error> {
    context.output.data(&Row::from(projection), |row| {
        let (entries, checkpoint) = (count(row.entries), count(row.checkpoint));
        let skipped = match row.faults {
            0 => String::new(),
            faults => format!("; {}, see `polyfold projection faults {}`", count_of(faults, "fault"), row.name),
        };
        let building = row.building.as_ref().map_or_else(String::new, |new| format!("; building {}", new.text()));
        format!("projection {}: {entries} entries at sequence {checkpoint}, {}{skipped}{building}", row.name, row.phase)
    })
}
