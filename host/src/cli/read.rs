//! `read`: events out.

use clap::Args;

use super::Context;
use super::error::Error;
use super::select::{Selection, readable};
use crate::engine::event_to_json;

/// Print events, oldest first.
///
/// Without --json: sequence, time, stream and version, type and schema version, payload.
#[derive(Debug, Args)]
pub(super) struct Read {
    #[command(flatten)]
    selection: Selection,
    /// Stop after so many events.
    #[arg(long, default_value = "100")]
    limit: usize,
}

impl Read {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let engine = context.engine()?;
        let mut left = self.limit;
        let more = self.selection.each(&engine, &mut |event| {
            if left == 0 {
                return Ok(false);
            }
            left -= 1;
            let line = if context.output.is_json() { event_to_json(event)? } else { readable(event)? };
            context.output.line(&line)?;
            Ok(true)
        })?;
        if more {
            context.output.remark(&format!("there are more; --limit says how many to print (now {})", self.limit));
        }
        Ok(())
    }
}
