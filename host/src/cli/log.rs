//! `log`: the state of the event log.

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::error::Error;
use super::output::{count, size};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show where the log ends and what it takes of the disk.
    Status,
    /// Read the whole log and recompute every checksum, digest, version and index.
    Verify,
}

#[derive(Serialize)]
struct Status {
    log_id: String,
    head: u64,
    recorded_at: Option<String>,
    chain_head: String,
    blocks: u64,
    block_bytes: u64,
    index_runs: u64,
    index_bytes: u64,
    file_bytes: u64,
}

#[derive(Serialize)]
struct Verified {
    events: u64,
    blocks: u64,
    chain_head: String,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Status => status(context),
            Self::Verify => verify(context),
        }
    }
}

fn status(context: &mut Context) -> Result<(), Error> {
    let engine = context.engine()?;
    let (head, stats) = (engine.log().head(), engine.log().stats()?);
    let status = Status {
        log_id: engine.log().id().to_string(),
        head: head.sequence.0,
        recorded_at: (head.sequence.0 > 0).then(|| head.recorded_at.to_string()),
        chain_head: head.chain.to_string(),
        blocks: stats.blocks,
        block_bytes: stats.block_bytes,
        index_runs: stats.runs,
        index_bytes: stats.index_bytes,
        file_bytes: stats.file_bytes,
    };
    context.output.data(&status, |status| {
        let rows = [
            ("log", status.log_id.clone()),
            ("head", count(status.head)),
            ("recorded at", status.recorded_at.clone().unwrap_or_else(|| "-".to_owned())),
            ("chain head", status.chain_head.clone()),
            ("blocks", format!("{}, {}", count(status.blocks), size(status.block_bytes))),
            ("indexes", format!("{} runs, {}", status.index_runs, size(status.index_bytes))),
            ("file", size(status.file_bytes)),
        ];
        rows.map(|(name, value)| format!("{name:<11} {value}")).join("\n")
    })
}

fn verify(context: &mut Context) -> Result<(), Error> {
    let engine = context.engine()?;
    let bar = context.output.events_bar("verifying", engine.head().sequence().0);
    let verified = engine.log().verify(&mut |sequence| bar.set_position(sequence.0));
    bar.finish_and_clear();
    let verified = verified?;
    let verified =
        Verified { events: verified.events, blocks: verified.blocks, chain_head: verified.chain.to_string() };
    context.output.data(&verified, |verified| {
        let (events, blocks) = (count(verified.events), count(verified.blocks));
        format!("the log is sound: {events} events in {blocks} blocks, chain head {}", verified.chain_head)
    })
}
