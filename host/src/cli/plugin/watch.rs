//! `plugin install --watch`: for authors; what the build makes is installed and serves.

use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::{Client, Context, Error, Installed, Projection, Upload, install, over, read_plugin, wait};
use crate::event::Digest;
use crate::server::model::{Plugin, State, Upgrade};

/// Between two looks at the file: soon for whoever just built it.
const EVERY: Duration = Duration::from_millis(300);

/// What tells without reading it that a file was written anew.
type Stamp = (Option<SystemTime>, u64);

/// What became of a build.
#[derive(Serialize)]
struct Round {
    plugin: Plugin,
    known: bool,
    projections: Vec<Outcome>,
    /// From the change seen to the last projection that went over.
    seconds: f64,
}

#[derive(Serialize)]
struct Outcome {
    name: String,
    /// Whether the new plugin's state answers readers now.
    serves: bool,
    phase: String,
}

/// Installs the file now and whenever it changes, until interrupted.
pub(super) fn run(context: &mut Context, file: &Path, projections: &[String]) -> Result<(), Error> {
    let (mut seen, mut installed) = (None, None);
    let mut waits = false;
    loop {
        let stamp = std::fs::metadata(file).ok().map(stamp);
        // A file that is there and has been left alone since the last look is whole.
        if stamp.is_some() && stamp == seen {
            waits = false;
            if let Some(bytes) = changed(file, stamp, &mut installed) {
                round(context, file, bytes, projections)?;
            }
        } else if stamp.is_none() && !waits {
            waits = true;
            context.output.remark(&format!("waiting for {}", file.display()));
        }
        seen = stamp;
        std::thread::park_timeout(EVERY);
    }
}

fn stamp(metadata: Metadata) -> Stamp {
    (metadata.modified().ok(), metadata.len())
}

/// The file's content if it is another than the last one looked at.
fn changed(file: &Path, stamp: Option<Stamp>, last: &mut Option<(Option<Stamp>, Digest)>) -> Option<Vec<u8>> {
    if last.as_ref().is_some_and(|(known, _)| *known == stamp) {
        return None;
    }
    // A file that went away meanwhile comes again.
    let bytes = read_plugin(file).ok()?;
    let digest = Digest::of(&bytes);
    let is_known = last.replace((stamp, digest)).is_some_and(|(_, known)| known == digest);
    (!is_known).then_some(bytes)
}

/// Installs one build and lets the projections go over; what is wrong with it is said, and the watch goes on.
fn round(context: &mut Context, file: &Path, bytes: Vec<u8>, projections: &[String]) -> Result<(), Error> {
    let began = Instant::now();
    match go_over(context, file, bytes, projections) {
        Ok((installed, projections)) => {
            let Installed { plugin, known, .. } = installed;
            let round = Round { plugin, known, projections, seconds: began.elapsed().as_secs_f64() };
            context.output.data(&round, told)?;
        }
        // Who reads the output has enough.
        Err(error @ Error::Output(_)) => return Err(error),
        Err(error) => context.output.warn(&error.to_string()),
    }
    context.output.flush()
}

fn told(round: &Round) -> String {
    let Round { plugin, projections, seconds, .. } = round;
    let what = format!("{}@{} {}", plugin.name, plugin.version, &plugin.digest[..12]);
    let outcomes = projections.iter().map(|outcome| match outcome.serves {
        true => format!("serves in {}", outcome.name),
        false => format!("does not serve in {}: {}", outcome.name, outcome.phase),
    });
    let outcomes: Vec<_> = outcomes.collect();
    let outcomes = if outcomes.is_empty() { "no projection runs it".to_owned() } else { outcomes.join(", ") };
    format!("{what}: {outcomes} ({seconds:.1} s)")
}

fn go_over(
    context: &mut Context,
    file: &Path,
    bytes: Vec<u8>,
    wanted: &[String],
) -> Result<(Installed, Vec<Outcome>), Error> {
    let mut client = context.connect()?;
    let installed = install(&mut client, context, file, Upload::of(bytes))?;
    let mut outcomes = Vec::new();
    for name in &installed.rebuilt {
        outcomes.push(outcome(wait::for_one(&mut client, context, name)?, None));
    }
    let projections: Vec<Projection> = client.get("/projections")?;
    for projection in projections.iter().filter(|projection| is_concerned(projection, &installed.plugin, wanted)) {
        outcomes.push(upgrade(&mut client, context, &projection.name, &installed.plugin)?);
    }
    Ok((installed, outcomes))
}

/// Whether a projection runs another build of the plugin, or was named.
fn is_concerned(projection: &Projection, plugin: &Plugin, wanted: &[String]) -> bool {
    let of_name = |state: &State| state.plugin.split_once('@').is_some_and(|(name, _)| name == plugin.name);
    match wanted {
        [] => of_name(&projection.readable) || projection.building.as_ref().is_some_and(of_name),
        wanted => wanted.contains(&projection.name),
    }
}

fn upgrade(client: &mut Client, context: &mut Context, name: &str, plugin: &Plugin) -> Result<Outcome, Error> {
    let upgrade = Upgrade { plugin: Some(plugin.digest.clone()), ..Upgrade::default() };
    Ok(outcome(over::go_over(client, context, name, upgrade)?, Some(plugin)))
}

/// How it stands with a projection, and whether the plugin serves, if it is the projection's own.
fn outcome(projection: Projection, plugin: Option<&Plugin>) -> Outcome {
    let serves =
        plugin.is_none_or(|plugin| projection.readable.plugin_digest == plugin.digest) && projection.is_serving;
    let state = projection.building.as_ref().unwrap_or(&projection.readable);
    Outcome { serves, phase: wait::phase(state), name: projection.name }
}
