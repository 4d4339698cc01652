//! `tail`: the newest events, and those to come.

use std::time::Duration;

use clap::Args;

use super::Context;
use super::client::Client;
use super::error::Error;
use super::selection::{Selection, readable};
use crate::server::model::Log;
use crate::server::problem::Code;

/// How long a host may wait for the next event before it answers that there is none.
const WAIT_SECONDS: u64 = 30;

/// Between two looks at a directory that no host serves; it is free for other commands meanwhile.
const EVERY: Duration = Duration::from_millis(250);

/// Print the newest events, and those to come, until interrupted or past --to.
///
/// Other commands can work on the same data directory meanwhile, and a host may come and go.
#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    selection: Selection,
    /// Begin with so many events from the end of the log (unless --since, --recorded-since or --stream says where to
    /// begin).
    #[arg(long, default_value = "10", value_name = "N")]
    last: u64,
    /// Stop after so many events.
    #[arg(long)]
    limit: Option<u64>,
}

/// How far a tail has come.
struct Place {
    /// Everything up to here was printed; none before the first look.
    since: Option<u64>,
    left: u64,
}

impl Tail {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let mut place = Place { since: None, left: self.limit.unwrap_or(u64::MAX) };
        let mut waits = false;
        while !self.is_over(&place) {
            match context.connect() {
                Ok(client) => match self.follow(client, context, &mut place) {
                    Ok(()) => waits = false,
                    Err(error) if will_pass(&error) => {
                        if !waits {
                            context.output.remark("waiting for a host that answers");
                        }
                        waits = true;
                    }
                    Err(error) => return Err(error),
                },
                // Somebody works longer than a command waits; a tail has time.
                Err(Error::InUse(_)) => {}
                Err(error) => return Err(error),
            }
            context.output.flush()?;
            if !self.is_over(&place) {
                std::thread::park_timeout(EVERY);
            }
        }
        Ok(())
    }

    /// Prints what there is, and what comes for as long as a host serves.
    fn follow(&self, mut client: Client, context: &mut Context, place: &mut Place) -> Result<(), Error> {
        let mut since = match place.since {
            Some(since) => since,
            None => self.begin(&mut client)?,
        };
        let wait = client.is_served().then_some(WAIT_SECONDS);
        loop {
            let page = self.selection.page(&mut client, since, place.left, wait)?;
            for event in &page.events {
                place.left -= 1;
                context.output.data(event, readable)?;
            }
            since = page.next.max(since);
            place.since = Some(since);
            context.output.flush()?;
            let is_at_end = since >= page.head && !client.is_served();
            if self.is_over(place) || is_at_end {
                return Ok(());
            }
        }
    }

    fn begin(&self, client: &mut Client) -> Result<u64, Error> {
        let Selection { since, stream, recorded_since, .. } = &self.selection;
        let head = client.get::<Log>("/log")?.head;
        if since.is_some() || stream.is_some() || recorded_since.is_some() {
            return self.selection.begin(client, head);
        }
        Ok(head.saturating_sub(self.last))
    }

    /// Whether nothing more can come.
    fn is_over(&self, place: &Place) -> bool {
        place.left == 0 || place.since.zip(self.selection.to).is_some_and(|(since, to)| since >= to)
    }
}

/// A host that ends may come again; what was printed is known, so nothing is missed or doubled.
fn will_pass(error: &Error) -> bool {
    matches!(error, Error::Broken(_)) || error.code() == Some(Code::ShuttingDown)
}
