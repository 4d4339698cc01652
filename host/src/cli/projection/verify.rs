//! `projection verify`: whether a state is what the log and the plugin make.

use clap::Args;

use super::{Client, Context, Error, status, wait};
use crate::cli::client::Query;
use crate::cli::output::{count, show};
use crate::engine::Share;
use crate::server::model::Verified;

/// Build the state anew in other batches, by code compiled anew, and compare it with the one that serves.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    name: String,
    /// Replay in large batches by the code that is there, and fold only this share of them once more: cut elsewhere, and
    /// by code compiled anew. Starts from the kept snapshot if there is one.
    #[arg(long, value_name = "PERCENT")]
    sample: Option<Share>,
    /// Start from the kept snapshot instead of the beginning of the log.
    #[arg(long)]
    from_snapshot: bool,
    /// Keep what was built, if it is what it should be, for later verifications to start from.
    #[arg(long)]
    keep_snapshot: bool,
}

impl Verify {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let name = self.name.as_str();
        let readable = wait::for_one(client, context, name)?.readable;
        if wait::is_behind(&readable) {
            let phase = wait::phase(&readable);
            context.output.warn(&format!("projection {name:?} is {phase}; this verifies what it has come to"));
        }
        let query = Query::of(wait::path(name, "/verify")).with_some("sample", self.sample.map(Share::as_percent));
        let query = query.with("from_snapshot", self.from_snapshot).with("keep_snapshot", self.keep_snapshot);
        let bar = context.output.events_bar(name, 0);
        let verified = client.work::<Verified>(query.path(), |progress| show(&bar, progress));
        bar.finish_and_clear();
        let verified = verified?;
        if let Some(why) = &verified.snapshot_unused {
            context.output.warn(&format!("the kept snapshot was not used: {why}"));
        }
        context.output.data(&verified, |verified| readable_result(verified, self.sample))?;
        if let Some(sequence) = verified.kept {
            context.output.remark(&format!("a snapshot at sequence {} is kept", count(sequence)));
        }
        let Some(difference) = verified.difference else { return Ok(()) };
        Err(Error::Found(format!(
            "projection {name:?} is not deterministic, or its state was changed: {difference}; \
             if a rebuild does not mend it, its plugin depends on something other than the events"
        )))
    }
}

fn readable_result(verified: &Verified, sample: Option<Share>) -> String {
    let Verified { projection, sequence, entries, digest, rebuilt_digest, same, from, batches_twice, .. } = verified;
    if !same {
        return format!("digest {digest}, rebuilt {rebuilt_digest}");
    }
    let from = if *from == 0 { String::new() } else { format!(" from the kept snapshot at sequence {}", count(*from)) };
    let twice = status::batches(*batches_twice);
    let how = match sample {
        None => format!(
            "rebuilt{from} with other batch sizes, by code compiled anew, to the same digest {digest}; {twice} folded by both compilations, with the same fuel"
        ),
        Some(_) => format!(
            "replayed{from} in large batches to the same digest {digest}; {twice} folded once more, cut elsewhere and by code compiled anew, with the same fuel where they were cut alike"
        ),
    };
    format!("projection {projection:?} is sound: {} entries at sequence {}, {how}", count(*entries), count(*sequence))
}
