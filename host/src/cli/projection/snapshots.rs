//! `projection snapshot`, `snapshots` and `keep`: what is kept of a projection's past.

use axum::http::Method;
use clap::Args;

use super::{Client, Context, Error, unsure, wait};
use crate::cli::client::Content;
use crate::cli::output::{count, count_of, size};
use crate::server::model::{Keep, Kept, Projection, Snapshot};

/// List the snapshots of a projection, or remove some.
#[derive(Debug, Args)]
pub(in crate::cli) struct Snapshots {
    name: String,
    /// Remove the snapshots at this sequence.
    #[arg(long, value_name = "SEQUENCE")]
    remove: Option<u64>,
}

/// Show or change how much of its past a projection keeps at hand; that decides only how fast the past answers.
#[derive(Debug, Args)]
pub(in crate::cli) struct Change {
    /// The projection. Without options it is only shown.
    name: String,
    #[command(flatten)]
    keep: KeepArgs,
}

/// The options of a projection that is made.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct KeepArgs {
    /// Take a snapshot of its state every so many events; 0 takes none. Default 100,000.
    #[arg(long, value_name = "EVENTS")]
    snapshot_every: Option<u64>,
    /// And every so many bytes of payload, whichever comes first; 0 counts only events. Default 67,108,864.
    #[arg(long, value_name = "BYTES")]
    snapshot_bytes: Option<u64>,
    /// Keep the history of its state so many events back from its end; 0 keeps none. Default 10,000.
    #[arg(long, value_name = "EVENTS")]
    history: Option<u64>,
}

impl KeepArgs {
    pub(super) fn keep(self) -> Keep {
        Keep { snapshot_every: self.snapshot_every, snapshot_bytes: self.snapshot_bytes, history: self.history }
    }
}

pub(super) fn take(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    wait::for_readers(client, context, name)?;
    let path = wait::path(name, "/snapshots");
    let taken = client.ask::<Snapshot>(Method::POST, &path, Content::Nothing).map_err(|error| unsure(error, name))?;
    context.output.data(&taken, readable)
}

impl Snapshots {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        if let Some(sequence) = self.remove {
            client.delete(&wait::path(&self.name, &format!("/snapshots/{sequence}")))?;
            context.output.remark(&format!("the snapshot at sequence {} is removed", count(sequence)));
            return Ok(());
        }
        let all: Vec<Snapshot> = client.get(&wait::path(&self.name, "/snapshots"))?;
        if all.is_empty() {
            context.output.remark(&format!("projection {:?} has no snapshots", self.name));
        }
        all.iter().try_for_each(|snapshot| context.output.data(snapshot, readable))
    }
}

impl Change {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let mut there: Projection = client.get(&wait::path(&self.name, ""))?;
        let wanted = self.keep.keep();
        if wanted != Keep::default() {
            let keep = Keep {
                snapshot_every: wanted.snapshot_every.or(Some(there.past.snapshot_every)),
                snapshot_bytes: wanted.snapshot_bytes.or(Some(there.past.snapshot_bytes)),
                history: wanted.history.or(Some(there.past.history)),
            };
            let set = client.put(&wait::path(&self.name, "/keep"), &keep);
            there = set.map_err(|error| unsure(error, &self.name))?;
        }
        context.output.data(&there.past, |kept| format!("{}, {}", snapshots_of(kept), history_of(kept.history)))
    }
}

fn snapshots_of(kept: &Kept) -> String {
    match (kept.snapshot_every, kept.snapshot_bytes) {
        (0, _) => "no snapshots by itself".to_owned(),
        (events, 0) => format!("a snapshot every {} events", count(events)),
        (events, bytes) => format!("a snapshot every {} events or {} of payload", count(events), size(bytes)),
    }
}

fn history_of(events: u64) -> String {
    if events == 0 { "no history".to_owned() } else { format!("history {} events back", count(events)) }
}

/// What is at hand, for the status.
pub(super) fn at_hand(kept: &Kept) -> String {
    let history = kept.history_from.map(|from| format!("history from sequence {} on", count(from)));
    let snapshots = kept.snapshots_from.zip(kept.snapshots_to).map(|(from, to)| {
        let (snapshots, file) = (count_of(kept.snapshots, "snapshot"), size(kept.file_bytes));
        let verified = kept.verified.map_or_else(String::new, |at| format!(", verified at {}", count(at)));
        let reach = if from == to { "at".to_owned() } else { format!("from sequence {} to", count(from)) };
        format!("{snapshots} {reach} {}{verified}, file {file}", count(to))
    });
    let all: Vec<String> = [history, snapshots].into_iter().flatten().collect();
    if all.is_empty() { "-".to_owned() } else { all.join("; ") }
}

fn readable(snapshot: &Snapshot) -> String {
    let Snapshot { identity, sequence, digest, entries, bytes, occasion, taken_at, .. } = snapshot;
    let identity = identity.get(..12).unwrap_or(identity);
    let (sequence, entries, bytes) = (count(*sequence), count(*entries), size(*bytes));
    format!("sequence {sequence}  {identity}  {entries} entries, {bytes}  {occasion}  {taken_at}  {digest}")
}
