//! `read`: events out.

use clap::Args;

use super::Context;
use super::error::Error;
use super::selection::{FoldedLine, Selection, readable};
use crate::engine::Moment;
use crate::server::model::Log;

/// Print events, oldest first.
///
/// Without --json: sequence, time, stream and version, type and schema version, payload.
#[derive(Debug, Args)]
pub(super) struct Read {
    #[command(flatten)]
    selection: Selection,
    /// Only events up to this sequence, or recorded by this RFC 3339 time.
    #[arg(long, value_name = "SEQUENCE|TIME")]
    as_of: Option<Moment>,
    /// Stop after so many events.
    #[arg(long, default_value = "100")]
    limit: u64,
}

impl Read {
    pub(super) fn run(mut self, context: &mut Context) -> Result<(), Error> {
        let mut client = context.connect()?;
        self.selection.as_of = self.as_of;
        // What is appended meanwhile is another reading's.
        let head = client.get::<Log>("/log")?.head;
        let end = self.selection.to.map_or(head, |to| to.min(head));
        let mut since = self.selection.begin(&mut client, head)?;
        let mut left = self.limit;
        while since < end {
            // One more than asked for tells whether there are more.
            let page = self.selection.page(&mut client, since, left.saturating_add(1), None)?;
            for folded in page.folded.iter().filter(|folded| folded.first <= end) {
                context.output.data(&FoldedLine { folded: *folded }, FoldedLine::readable)?;
            }
            for event in page.events.iter().filter(|event| event.sequence <= end) {
                if left == 0 {
                    let text = format!("there are more; --limit says how many to print (now {})", self.limit);
                    context.output.remark(&text);
                    return Ok(());
                }
                left -= 1;
                context.output.data(event, readable)?;
            }
            if page.next <= since {
                break;
            }
            since = page.next;
        }
        Ok(())
    }
}
