//! `log`: the state of the event log.

use clap::{Args, Subcommand};

use super::Context;
use super::client::Query;
use super::error::Error;
use super::output::{count, count_of, show, size};
use super::receipt::Writing;
use super::retention;
use crate::server::model::{Log, VerifiedLog};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show where the log ends and what it takes of the disk.
    Status,
    /// Read the whole log and recompute every checksum, digest, version and index.
    Verify,
    /// Prove that an event is in the log, to who has nothing of it: a signed receipt of the log, the event, and its path.
    Prove(Prove),
}

#[derive(Debug, Args)]
pub(super) struct Prove {
    sequence: u64,
    /// Leave the payload out; its digest stands for it.
    #[arg(long)]
    without_payload: bool,
    #[command(flatten)]
    writing: Writing,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Status => status(context),
            Self::Verify => verify(context),
            Self::Prove(prove) => prove.run(context),
        }
    }
}

impl Prove {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let query = Query::of(format!("/events/{}/proof", self.sequence)).with("payload", !self.without_payload);
        let document = context.connect()?.get(query.path())?;
        self.writing.write(context, &document)
    }
}

fn status(context: &mut Context) -> Result<(), Error> {
    let status: Log = context.connect()?.get("/log")?;
    context.output.data(&status, |status| {
        let dropped = (status.stubs + status.folded > 0).then(|| dropped(status));
        let runs = (status.retention.runs > 0).then(|| retention::runs(&status.retention));
        let rows = [
            ("log", status.log_id.clone()),
            ("head", count(status.head)),
            ("recorded at", status.recorded_at.clone().unwrap_or_else(|| "-".to_owned())),
            ("chain head", status.chain_head.clone()),
            ("blocks", format!("{}, {}", count(status.blocks), size(status.block_bytes))),
            ("indexes", format!("{} runs, {}", status.index_runs, size(status.index_bytes))),
            ("file", size(status.file_bytes)),
        ];
        let encrypted = (!status.encrypted.is_empty()).then(|| status.encrypted.join(", "));
        let others = [("dropped", dropped), ("retention", runs), ("encrypted", encrypted)];
        let others = others.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let rows = rows.into_iter().chain(others).map(|(name, value)| format!("{name:<11} {value}"));
        rows.collect::<Vec<_>>().join("\n")
    })
}

/// What the log does not have any more.
fn dropped(status: &Log) -> String {
    let payloads = count_of(status.stubs + status.folded, "payload");
    let folded = count_of(status.folded, "event");
    format!("{payloads} of {}; of {folded} only digests are left", size(status.dropped_bytes))
}

fn verify(context: &mut Context) -> Result<(), Error> {
    let mut client = context.connect()?;
    let bar = context.output.events_bar("verifying", 0);
    let verified = client.work("/log/verify", |progress| show(&bar, progress));
    bar.finish_and_clear();
    let verified: VerifiedLog = verified?;
    context.output.data(&verified, |verified| {
        let (events, blocks) = (count(verified.events), count(verified.blocks));
        format!("the log is sound: {events} events in {blocks} blocks, chain head {}", verified.chain_head)
    })
}
