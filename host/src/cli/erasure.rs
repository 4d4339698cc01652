//! `forget`, `redact`: what a law or a person wants gone.

use clap::Args;

use super::error::Error;
use super::output::{count, count_of};
use super::{Context, wait};
use crate::event::StreamName;
use crate::server::model::erasure;

/// Forget an encrypted stream: delete its key, so that its payloads can be read nowhere any more, in no backup either.
///
/// An event says who did it and why. Projections that want the stream's events are built anew without them. The stream
/// takes no new events. There is no way back.
#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The stream, CATEGORY/NAME.
    stream: StreamName,
    #[command(flatten)]
    motive: Motive,
}

/// Redact events: drop their payloads from the log, its archives and everything made of them.
///
/// An event says who did it and why. The log is written anew without the payloads, which takes as much disk again meanwhile;
/// envelopes and digests stay, and the chain verifies. Projections that want the events are built anew without them.
/// There is no way back.
#[derive(Debug, Args)]
pub(super) struct Redact {
    /// The events, by sequence.
    #[arg(required = true, value_name = "SEQUENCE")]
    sequences: Vec<u64>,
    #[command(flatten)]
    motive: Motive,
}

/// Who erases, and why.
#[derive(Debug, Args)]
struct Motive {
    /// Why, in one line. It stays in the log, so it should not say what is erased.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Return when it is done, whether or not projections are built again.
    #[arg(long)]
    no_wait: bool,
}

impl Forget {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let Motive { reason, by, no_wait } = self.motive;
        let mut client = context.connect()?;
        let request = erasure::Forget { stream: self.stream.to_string(), reason, by };
        let forgotten = client.post("/forget", &request);
        let forgotten: erasure::Forgotten =
            forgotten.map_err(|error| error.advised("run the command again: what is forgotten stays so"))?;
        context.output.data(&forgotten, |forgotten| {
            let events = count_of(forgotten.events, "event");
            let done = match forgotten.sequence {
                Some(sequence) => format!("is forgotten, event {} says so", count(sequence)),
                None => "was forgotten before".to_owned(),
            };
            let rebuilt = rebuilt(&forgotten.rebuilt);
            format!("stream {} {done}: {events} can be read no more{rebuilt}", forgotten.stream)
        })?;
        if no_wait { Ok(()) } else { wait::for_all(&mut client, context) }
    }
}

impl Redact {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let Motive { reason, by, no_wait } = self.motive;
        let mut client = context.connect()?;
        let request = erasure::Redact { sequences: self.sequences, reason, by };
        let redacted = client.post("/redact", &request);
        let redacted: erasure::Redacted =
            redacted.map_err(|error| error.advised("run the command again: what is redacted is passed over"))?;
        context.output.data(&redacted, |redacted| {
            let (events, rebuilt) = (count_of(redacted.events, "event"), rebuilt(&redacted.rebuilt));
            let before = match redacted.before {
                0 => String::new(),
                before => format!(", {} before", count(before)),
            };
            match redacted.sequence {
                Some(sequence) => format!("{events} redacted{before}, event {} says so{rebuilt}", count(sequence)),
                None => format!("nothing is redacted: all were{before}"),
            }
        })?;
        if no_wait { Ok(()) } else { wait::for_all(&mut client, context) }
    }
}

fn rebuilt(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; built anew: {}", names.join(", ")) }
}
