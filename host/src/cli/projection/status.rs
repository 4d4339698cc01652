//! `projection list` and `projection status`: how far projections are.

use serde::Serialize;

use super::snapshots::at_hand;
use super::{Client, Context, Error, wait};
use crate::cli::output::{count, count_of, size};
use crate::cli::plugin::signer;
use crate::server::model::{Costs, Kept, Missing, OnDropped, OnFault, Projection, Quota, Ran, Signature, State};

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
    dropped: OnDropped,
    #[serde(skip_serializing_if = "Missing::is_none")]
    missing: Missing,
    parameters: String,
    phase: String,
    checkpoint: u64,
    head: u64,
    lag: u64,
    lag_seconds: f64,
    events: u64,
    fuel: u64,
    costs: Costs,
    quota: Quota,
    faults: u64,
    quarantined: u64,
    set_aside: u64,
    redriven: Option<u64>,
    probed: u64,
    past: Kept,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ran: Vec<Ran>,
    entries: u64,
    state_bytes: u64,
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
    redriven: Option<u64>,
}

impl Beside {
    fn of(state: &State) -> Self {
        let State { identity, plugin, checkpoint, redriven, .. } = state.clone();
        Self { identity, plugin, phase: wait::phase(state), checkpoint, redriven }
    }

    fn text(&self) -> String {
        let redriven =
            self.redriven.map_or_else(String::new, |events| format!(", {} redriven", count_of(events, "event")));
        let checkpoint = count(self.checkpoint);
        format!("{}, {} at sequence {checkpoint}, {}{redriven}", self.plugin, self.identity, self.phase)
    }
}

impl From<Projection> for Row {
    fn from(projection: Projection) -> Self {
        let phase = wait::phase(&projection.readable);
        let Projection { name, sync, auto_promote, head, readable, is_serving, building, previous, .. } = projection;
        let Projection { past, quota, ran, dropped, .. } = projection;
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
            dropped,
            missing: readable.missing,
            parameters: readable.parameters.text(),
            phase,
            checkpoint: readable.checkpoint,
            head,
            lag: readable.lag,
            lag_seconds: readable.lag_seconds,
            events: readable.events,
            fuel: readable.fuel,
            costs: readable.costs,
            quota,
            faults: readable.faults,
            quarantined: readable.quarantined,
            set_aside: readable.set_aside,
            redriven: readable.redriven,
            probed: readable.probed,
            past,
            ran,
            entries: readable.entries,
            state_bytes: readable.state_bytes,
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
        OnFault::Quarantine => "quarantine",
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
        ("events", format!("{} folded in {}", count(row.events), count_of(row.costs.calls, "call"))),
        ("fuel", fuel(row)),
        ("quota", quota(&row.quota).unwrap_or_else(|| "-".to_owned())),
        ("faults", format!("{}, on fault {on_fault}", count(row.faults))),
        ("entries", format!("{}, {}, file {}", count(row.entries), size(row.state_bytes), size(row.file_bytes))),
        ("past", at_hand(&row.past)),
    ];
    let probed = (row.probed > 0).then(|| format!("{}, all alike", batches(row.probed)));
    let others = [
        ("quarantine", quarantined(row.quarantined, row.set_aside)),
        ("redriven", redriven(row.redriven)),
        ("missing", missing(row.missing)),
        ("dropped", on_dropped(row.dropped)),
        ("probed", probed),
        ("ran before", ran(&row.ran)),
    ];
    let others = others.into_iter().filter_map(|(name, value)| Some((name, value?)));
    rows.into_iter().chain(others).map(|(name, value)| format!("{name:<11} {value}")).collect::<Vec<_>>().join("\n")
}

/// What served before, if anything did.
fn ran(ran: &[Ran]) -> Option<String> {
    let each = |ran: &Ran| format!("{} {}", ran.plugin, ran.identity.get(..12).unwrap_or(&ran.identity));
    (!ran.is_empty()).then(|| ran.iter().map(each).collect::<Vec<_>>().join(", "))
}

/// What the state was made without, if anything.
fn missing(missing: Missing) -> Option<String> {
    let Missing { compacted, folded, redacted, forgotten } = missing;
    let kinds = [
        (compacted, "compacted"),
        (folded, "compacted and perhaps wanted"),
        (redacted, "redacted"),
        (forgotten, "forgotten"),
    ];
    let parts = kinds.into_iter().filter(|(events, _)| *events > 0);
    let parts: Vec<String> = parts.map(|(events, why)| format!("{} {why}", count_of(events, "event"))).collect();
    (!parts.is_empty()).then(|| format!("made without {}", parts.join(", ")))
}

/// What it does about compacted events, where that is not the usual.
fn on_dropped(dropped: OnDropped) -> Option<String> {
    match dropped {
        OnDropped::Archive => None,
        OnDropped::Accept => Some("accept: goes on without events that were compacted".to_owned()),
        OnDropped::Refuse => Some("refuse: is not made without events that were compacted".to_owned()),
    }
}

/// So many batches.
pub(super) fn batches(number: u64) -> String {
    if number == 1 { "1 batch".to_owned() } else { format!("{} batches", count(number)) }
}

/// What is in quarantine, if anything is.
pub(super) fn quarantined(streams: u64, events: u64) -> Option<String> {
    (streams > 0).then(|| format!("{}, {} set aside", count_of(streams, "stream"), count_of(events, "event")))
}

/// What was in quarantine in the state before and is folded now, if anything was.
pub(super) fn redriven(events: Option<u64>) -> Option<String> {
    events.map(|events| format!("{} that the state before had set aside, in order", count_of(events, "event")))
}

fn fuel(row: &Row) -> String {
    let an_event = |fuel: u64, events: u64| count(fuel.checked_div(events).unwrap_or(0));
    let Costs { last_call_fuel, last_call_events, costliest_call_fuel, .. } = row.costs;
    let all = format!("{}, {} an event", count(row.fuel), an_event(row.fuel, row.events));
    let last = format!("last call {} for {}", count(last_call_fuel), count_of(last_call_events, "event"));
    format!("{all}; {last}; costliest call {}", count(costliest_call_fuel))
}

/// A quota in words, if there is one.
pub(super) fn quota(quota: &Quota) -> Option<String> {
    let bounds = [
        quota.fuel_per_second.map(|fuel| format!("{} fuel a second", count(fuel))),
        quota.state_bytes.map(|bytes| format!("{} bytes of state", count(bytes))),
        quota.state_entries.map(|entries| format!("{} entries", count(entries))),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    (!bounds.is_empty()).then(|| bounds.join(", "))
}

/// The short form, after something was done with a projection.
pub(super) fn print_short(context: &mut Context, projection: Projection) -> Result<(), Error> {
    context.output.data(&Row::from(projection), |row| {
        let (entries, checkpoint) = (count(row.entries), count(row.checkpoint));
        let skipped = match row.faults {
            0 => String::new(),
            faults => format!("; {}, see `polyfold projection faults {}`", count_of(faults, "fault"), row.name),
        };
        let set_aside =
            quarantined(row.quarantined, row.set_aside).map_or_else(String::new, |text| format!("; {text}"));
        let building = row.building.as_ref().map_or_else(String::new, |new| format!("; building {}", new.text()));
        let (name, phase) = (&row.name, &row.phase);
        format!("projection {name}: {entries} entries at sequence {checkpoint}, {phase}{skipped}{set_aside}{building}")
    })
}
