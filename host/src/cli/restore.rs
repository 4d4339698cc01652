//! `restore`: makes a data directory of a backup.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::error::Error;
use super::output::{count, count_of};
use crate::engine::{self, Until};
use crate::event::{Sequence, Timestamp};

/// Make a data directory of a backup: the whole of it, or as it was at a sequence or a time.
///
/// The data directory (--data-dir) must be empty or not exist. It is made beside its place, all of it is verified on the way,
/// and it gets its name when it is whole. The log has the same id, events and chain, so receipts made before still hold.
/// States that are not in the backup are built from the log.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup's directory or file.
    #[arg(value_name = "DIR|FILE")]
    backup: PathBuf,
    /// End the log with this event.
    #[arg(long, value_name = "N", conflicts_with = "to_time")]
    to_sequence: Option<u64>,
    /// End the log with the last event that was recorded then or before, for example 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "RFC3339")]
    to_time: Option<Timestamp>,
    /// Take this generation; without it the newest, or the oldest that reaches beyond --to-sequence or --to-time.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Restored {
    generation: u64,
    made_at: String,
    log_id: String,
    sequence: u64,
    recorded_at: Option<String>,
    chain_head: String,
    plugins: u64,
    states: u64,
    states_left_out: u64,
    snapshots: u64,
}

impl Restore {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let until = match (self.to_sequence, self.to_time) {
            (Some(sequence), _) => Until::Sequence(Sequence(sequence)),
            (None, Some(time)) => Until::Time(time),
            (None, None) => Until::End,
        };
        let dir = context.settings.data_dir.clone();
        let restore = engine::Restore { backup: &self.backup, dir: &dir, until, generation: self.generation };
        let bar = context.output.events_bar("restoring", 0);
        let restored = restore.run(&mut |sequence, last| {
            bar.set_length(last);
            bar.set_position(sequence);
        });
        bar.finish_and_clear();
        let restored = restored?;
        self.remark(context, &restored);
        let engine::Restored { states_left_out, plugins, states, .. } = restored;
        let shown = Restored {
            generation: restored.generation,
            made_at: restored.made_at,
            log_id: restored.log_id,
            sequence: restored.sequence,
            recorded_at: restored.recorded_at,
            chain_head: restored.chain_head,
            plugins,
            states,
            states_left_out,
            snapshots: restored.snapshots,
        };
        context.output.data(&shown, |shown| {
            let (plugins, states) = (count_of(shown.plugins, "plugin"), count_of(shown.states, "state"));
            let (sequence, dir) = (count(shown.sequence), dir.display());
            let (generation, head) = (shown.generation, &shown.chain_head);
            format!("{dir} restored from generation {generation}: the log up to sequence {sequence}, chain head {head}; {plugins}, {states}")
        })
    }

    /// What is not as somebody might think.
    fn remark(&self, context: &Context, restored: &engine::Restored) {
        if restored.states_left_out > 0 {
            let left_out = count_of(restored.states_left_out, "state");
            context.output.remark(&format!("{left_out} in the backup did not fit; they are built from the log"));
        }
        if !restored.has_host_key {
            context.output.remark("the backup has no host key; the next receipt is signed by a new one");
        }
        if restored.is_encrypted {
            context.output.warn(
                "events are encrypted, and backups hold no keys: `polyfold keys import FILE` takes those of an export",
            );
        }
        let made_at = restored.made_at.parse::<Timestamp>().ok();
        if self.to_time.zip(made_at).is_some_and(|(wanted, made_at)| wanted > made_at) {
            let made_at = &restored.made_at;
            context.output.warn(&format!("the backup was made at {made_at}; what was recorded later is not in it"));
        }
    }
}
