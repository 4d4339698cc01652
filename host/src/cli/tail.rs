//! `tail`: the newest events, and those to come.

use std::time::Duration;

use clap::Args;

use super::Context;
use super::error::Error;
use super::select::{Selection, readable};
use crate::engine::{self, Engine, event_to_json};

/// Between two looks at the log; the directory is free for other commands meanwhile.
const EVERY: Duration = Duration::from_millis(250);

/// Print the newest events, and those to come, until interrupted or past --to.
///
/// Other commands can work on the same data directory meanwhile.
#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    selection: Selection,
    /// Begin with so many events from the end of the log (unless --from, --since or --stream says where to begin).
    #[arg(long, default_value = "10", value_name = "N")]
    last: u64,
    /// Stop after so many events.
    #[arg(long)]
    limit: Option<u64>,
}

impl Tail {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let mut selection = self.selection.clone();
        let mut left = self.limit.unwrap_or(u64::MAX);
        let says_where = selection.from.is_some() || selection.since.is_some() || selection.stream.is_some();
        let mut begins_at_end = !says_where;
        loop {
            match context.engine() {
                Ok(engine) => {
                    if std::mem::take(&mut begins_at_end) {
                        selection.from = Some((engine.head().sequence().0 + 1).saturating_sub(self.last).max(1));
                    }
                    print_new(&engine, context, &mut selection, &mut left)?;
                }
                // Somebody works longer than a command waits; a tail has time.
                Err(Error::Engine(engine::Error::InUse { .. })) => {}
                Err(error) => return Err(error),
            }
            context.output.flush()?;
            // Nothing can come any more.
            let is_over = selection.stream.is_none() && selection.to.is_some_and(|to| selection.from > Some(to));
            if left == 0 || is_over {
                return Ok(());
            }
            std::thread::park_timeout(EVERY);
        }
    }
}

/// Prints what is there, and moves the selection behind it.
fn print_new(engine: &Engine, context: &mut Context, selection: &mut Selection, left: &mut u64) -> Result<(), Error> {
    let head = engine.head().sequence();
    let is_stream = selection.stream.is_some();
    let mut next = selection.from.unwrap_or(1);
    selection.each(engine, &mut |event| {
        if *left == 0 {
            return Ok(false);
        }
        *left -= 1;
        next = if is_stream { event.version.0 + 1 } else { event.sequence.0 + 1 };
        let line = if context.output.is_json() { event_to_json(event)? } else { readable(event)? };
        context.output.line(&line)?;
        Ok(true)
    })?;
    selection.from = Some(if is_stream { next } else { next.max(head.0 + 1) });
    Ok(())
}
