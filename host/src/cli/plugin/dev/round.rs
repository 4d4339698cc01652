//! One round: a build, what it is installed as, and what that changes.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::change::{Change, indented};
use super::events::Events;
use super::{Client, Context, Dev, Error, Installed, Plugin, Projection, Upload, install, over, wait};
use crate::cli::output::{count, count_of};
use crate::cli::project::{self, Kind, Project};
use crate::cli::projection::{check, create};
use crate::server::model::{Fault, NewProjection, Phase, Upgrade};

/// Faults that are shown of a projection; the first says most.
const FAULTS_SHOWN: usize = 5;

/// What became of a build.
#[derive(Serialize)]
struct Round {
    file: PathBuf,
    plugin: Plugin,
    /// Whether the very same build was installed before.
    known: bool,
    projections: Vec<Outcome>,
    /// What an upcaster makes of events.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Events>,
    seconds: f64,
}

/// What became of a projection.
#[derive(Serialize)]
struct Outcome {
    name: String,
    /// Whether the new state answers readers now.
    serves: bool,
    phase: String,
    entries: u64,
    checkpoint: u64,
    /// None where the state is the one from before.
    change: Option<Change>,
    fault_count: u64,
    /// The first faults.
    faults: Vec<Fault>,
}

/// Builds, installs, lets projections go over, and prints what that changed.
pub(super) fn round(context: &mut Context, dev: &Dev, project: &Project) -> Result<(), Error> {
    let began = Instant::now();
    let built = project::build(project, &context.output)?;
    let mut client = context.connect()?;
    let before: Vec<Projection> = client.get("/projections")?;
    let Installed { plugin, known, rebuilt } = install(&mut client, context, &built.file, Upload::of(built.content))?;
    let find = |name: &str| before.iter().find(|projection| projection.name == name);
    let (projections, events) = match built.kind {
        Kind::Projection => {
            let name = dev.projection.as_ref().map_or(plugin.name.as_str(), |name| name.as_str());
            (vec![run(&mut client, context, dev, &plugin, name, find(name))?], None)
        }
        Kind::Upcaster => {
            let mut outcomes = Vec::new();
            for name in concerned(&mut client, &plugin, rebuilt, &before)? {
                let there = wait::for_one(&mut client, context, &name)?;
                outcomes.push(Outcome::of(&mut client, context, find(&name), there)?);
            }
            (outcomes, Some(Events::of(&mut client, &plugin)?))
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let round = Round { file: built.file, plugin, known, projections, events, seconds };
    context.output.data(&round, readable)?;
    let late: Vec<_> = round.projections.iter().filter(|outcome| !outcome.serves).collect();
    match late.iter().map(|late| format!("{:?} is {}", late.name, late.phase)).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => Ok(()),
        late => Err(Error::Incomplete(format!("this build does not serve: projection {late}"))),
    }
}

/// The projections that an upcaster makes anew, or that it has failed.
fn concerned(
    client: &mut Client,
    upcaster: &Plugin,
    rebuilt: Vec<String>,
    all: &[Projection],
) -> Result<Vec<String>, Error> {
    let mut concerned = rebuilt;
    for Projection { name, .. } in all {
        let faults: Vec<Fault> = client.get(&wait::path(name, "/faults"))?;
        if faults.iter().any(|fault| fault.plugin == upcaster.digest) && !concerned.contains(name) {
            concerned.push(name.clone());
        }
    }
    Ok(concerned)
}

/// Makes the projection, or lets it go over to the plugin.
fn run(
    client: &mut Client,
    context: &mut Context,
    dev: &Dev,
    plugin: &Plugin,
    name: &str,
    before: Option<&Projection>,
) -> Result<Outcome, Error> {
    let parameters = dev.parameters.as_deref().map(create::parameters).transpose()?;
    let plugin = Some(plugin.digest.clone());
    let there = if before.is_some() {
        over::go_over(client, context, name, Upgrade { plugin, parameters, ..Upgrade::default() })?
    } else {
        let new = NewProjection {
            name: name.to_owned(),
            plugin,
            parameters,
            on_fault: None,
            fuel_per_event: None,
            memory_bytes: None,
            sync: false,
            quota: None,
            keep: None,
            dropped: None,
        };
        let _: Projection = client.post("/projections", &new)?;
        wait::for_one(client, context, name)?
    };
    Outcome::of(client, context, before, there)
}

impl Outcome {
    /// How it stands with a projection, and what is other than before.
    fn of(
        client: &mut Client,
        context: &Context,
        before: Option<&Projection>,
        there: Projection,
    ) -> Result<Self, Error> {
        let state = there.building.as_ref().unwrap_or(&there.readable);
        let serves = there.building.is_none() && there.is_serving && state.phase == Phase::Live;
        let served = before.filter(|before| before.is_serving);
        let change = match served {
            _ if !serves => None,
            None => Some(Change::from_nothing(client, &there)?),
            Some(before) if before.readable.identity == state.identity => None,
            Some(_) => Some(Change::from_previous(client, context, &there.name)?),
        };
        let mut faults: Vec<Fault> = client.get(&wait::path(&there.name, "/faults"))?;
        if there.building.is_some() {
            // Those of the state that goes on serving come first.
            faults.drain(..faults.len().min(there.readable.faults as usize));
        }
        let fault_count = faults.len() as u64;
        faults.truncate(FAULTS_SHOWN);
        let (phase, entries, checkpoint) = (wait::phase(state), state.entries, state.checkpoint);
        Ok(Self { serves, phase, entries, checkpoint, change, fault_count, faults, name: there.name })
    }

    fn lines(&self) -> Vec<String> {
        let Self { name, serves, phase, entries, checkpoint, change, fault_count, faults } = self;
        let entries = format!("{} entries at sequence {}", count(*entries), count(*checkpoint));
        let mut lines = match (serves, change) {
            (false, _) => vec![format!("projection {name}: does not serve, {phase}, {entries}")],
            (true, None) => vec![format!("projection {name}: as before, {entries}")],
            (true, Some(_)) => vec![format!("projection {name}: serves, {entries}")],
        };
        lines.extend(change.iter().flat_map(Change::lines));
        lines.extend(faults.iter().map(|fault| indented(&check::readable(fault))));
        let left = fault_count - faults.len() as u64;
        if left > 0 {
            lines.push(format!("  … and {} more, see `polyfold projection faults {name}`", count_of(left, "fault")));
        }
        lines
    }
}

fn readable(round: &Round) -> String {
    let Round { plugin, known, projections, events, seconds, .. } = round;
    let Plugin { kind, name, version, digest, .. } = plugin;
    let known = if *known { ", as installed before" } else { "" };
    let mut lines = vec![format!("{kind} {name}@{version} {}{known} ({seconds:.1} s)", &digest[..12])];
    lines.extend(events.iter().flat_map(Events::lines));
    if events.is_some() && projections.is_empty() {
        lines.push("no projection is built anew".to_owned());
    }
    lines.extend(projections.iter().flat_map(Outcome::lines));
    lines.join("\n")
}
