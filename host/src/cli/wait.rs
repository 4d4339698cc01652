//! Lets projections see what is in the log, and shows how far they are.

use std::time::Duration;

use indicatif::ProgressBar;

use super::Context;
use super::client::{Client, Query, segment};
use super::error::Error;
use super::output::show_state;
use crate::server::model::{Phase, Projection, State};
use crate::server::problem::Code;

/// How long a host lets a request wait; then the bar moves on.
const LOOK_SECONDS: u64 = 1;

/// Between two looks at something that no request can wait for.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// The path of a projection, and what may follow it.
pub(super) fn path(name: &str, rest: &str) -> String {
    format!("/projections/{}{rest}", segment(name))
}

/// Lets every projection catch up. One that cannot is a warning: the events are in the log all the same.
pub(super) fn for_all(client: &mut Client, context: &mut Context) -> Result<(), Error> {
    context.output.flush()?;
    let projections: Vec<Projection> = client.get("/projections")?;
    let mut late = Vec::new();
    for Projection { name, head, .. } in projections {
        // None waits for another: each is started before the first is waited for.
        match reach(client, &name, head, 0) {
            Ok(Some(there)) if is_there(&there) && !there.auto_promote => {}
            Ok(_) => late.push(name),
            Err(error) => context.output.warn(&format!("projection {name:?} did not start: {error}")),
        }
    }
    for name in late {
        let projection = for_one(client, context, &name)?;
        warn_of(context, &name, &projection);
    }
    Ok(())
}

/// Lets one projection catch up, and what replaces its state by itself take over.
pub(super) fn for_one(client: &mut Client, context: &mut Context, name: &str) -> Result<Projection, Error> {
    let mut there = for_readers(client, context, name)?;
    let bar = context.output.events_bar(name, there.head);
    while let Some(state) = taking_over(&there) {
        show_state(&bar, state, there.head);
        std::thread::park_timeout(LOOK);
        there = client.get(&path(name, ""))?;
    }
    bar.finish_and_clear();
    Ok(there)
}

/// Lets the state that readers see catch up with the log as it is now, or come to where it cannot go on.
pub(super) fn for_readers(client: &mut Client, context: &mut Context, name: &str) -> Result<Projection, Error> {
    context.output.flush()?;
    let now: Projection = client.get(&path(name, ""))?;
    let bar = context.output.events_bar(name, now.head);
    let there = watched(client, name, now.head, &bar);
    bar.finish_and_clear();
    there
}

fn watched(client: &mut Client, name: &str, head: u64, bar: &ProgressBar) -> Result<Projection, Error> {
    loop {
        let reached = reach(client, name, head, LOOK_SECONDS)?;
        let there = match reached {
            Some(there) if is_there(&there) => return Ok(there),
            // Visible, but its worker has not said yet that it is live, or let its first state serve.
            Some(there) => {
                std::thread::park_timeout(LOOK);
                there
            }
            None => client.get(&path(name, ""))?,
        };
        if is_stuck(&there.readable) {
            return Ok(there);
        }
        show_state(bar, &there.readable, head);
    }
}

/// The projection when its readers see `sequence`, or none if they do not within that time.
fn reach(client: &mut Client, name: &str, sequence: u64, seconds: u64) -> Result<Option<Projection>, Error> {
    let query = Query::of(path(name, "")).with("min_sequence", sequence).with("timeout", seconds);
    match client.get(query.path()) {
        Ok(projection) => Ok(Some(projection)),
        Err(error) if error.code() == Some(Code::NotReached) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_there(projection: &Projection) -> bool {
    projection.readable.phase == Phase::Live && projection.is_serving
}

fn is_stuck(state: &State) -> bool {
    match state.phase {
        Phase::Replaying | Phase::Live => false,
        Phase::Halted | Phase::Paused | Phase::OverQuota | Phase::Failed | Phase::Stopped => true,
    }
}

/// The state that is being built and takes over by itself when it is done.
fn taking_over(projection: &Projection) -> Option<&State> {
    let taking_over = projection.building.as_ref().filter(|_| projection.auto_promote);
    taking_over.filter(|state| !is_stuck(state))
}

/// Warns of a projection that does not follow the log, or whose new state cannot take over as it was to.
pub(super) fn warn_of(context: &Context, name: &str, projection: &Projection) {
    if is_behind(&projection.readable) {
        context.output.warn(&format!("projection {name:?} is {}", phase(&projection.readable)));
    }
    let waited_for = projection.building.as_ref().filter(|_| projection.auto_promote);
    if let Some(building) = waited_for.filter(|building| is_behind(building)) {
        context.output.warn(&format!("the new state of projection {name:?} is {}", phase(building)));
    }
}

/// Whether a state cannot follow the log at present.
pub(super) fn is_behind(state: &State) -> bool {
    is_stuck(state) && !(state.phase == Phase::Stopped && state.lag == 0)
}

/// A phase in words, and why.
pub(super) fn phase(state: &State) -> String {
    let why = state.reason.as_deref().unwrap_or("for no known reason");
    match state.phase {
        Phase::Replaying => "replaying".to_owned(),
        Phase::Live => "live".to_owned(),
        Phase::Halted => format!("halted {why}"),
        Phase::OverQuota => format!("over quota: {why}"),
        Phase::Paused => format!("paused, trying again: {why}"),
        Phase::Failed => format!("failed: {why}"),
        // No command runs projections after it has ended; what has caught up will follow the next append.
        Phase::Stopped if state.lag == 0 => "caught up".to_owned(),
        Phase::Stopped => "behind".to_owned(),
    }
}
