//! Lets projections see what is in the log, and shows how far they are.

use super::Context;
use super::error::Error;
use super::output::show;
use crate::engine::{Engine, Phase};

/// Lets every projection catch up. One that cannot is a warning: the events are in the log all the same.
pub(super) fn all(engine: &Engine, context: &mut Context) -> Result<(), Error> {
    context.output.flush()?;
    let projections = engine.projections();
    for projection in &projections {
        if let Err(error) = engine.start(&projection.name) {
            context.output.warn(&format!("projection {:?} did not start: {error}", projection.name));
        }
    }
    for projection in &projections {
        if engine.progress(&projection.name).is_err() {
            continue;
        }
        let phase = wait(engine, context, &projection.name)?;
        if phase != Phase::Live {
            context.output.warn(&format!("projection {:?} is {phase}", projection.name));
        }
    }
    Ok(())
}

/// Lets one projection catch up.
pub(super) fn one(engine: &Engine, context: &mut Context, name: &str) -> Result<Phase, Error> {
    context.output.flush()?;
    engine.start(name)?;
    wait(engine, context, name)
}

fn wait(engine: &Engine, context: &Context, name: &str) -> Result<Phase, Error> {
    let head = engine.head().sequence();
    let bar = context.output.events_bar(name, head.0);
    let progress = engine.wait(name, |progress| show(&bar, progress, head));
    bar.finish_and_clear();
    Ok(progress?.phase)
}
