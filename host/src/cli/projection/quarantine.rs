//! `projection quarantine`: the streams that a projection has set aside.

use clap::{Args, ValueEnum};

use super::{Client, Context, Error, wait};
use crate::cli::client::Query;
use crate::cli::output::{count, count_of};
use crate::server::model::{QuarantinePage, QuarantinedStream};

/// List the streams that the projection has quarantined, and how much of each it has set aside.
#[derive(Debug, Args)]
pub(in crate::cli) struct Quarantine {
    name: String,
    /// Which of its states: the one that answers readers, or one beside it.
    #[arg(long, value_enum, default_value = "readable")]
    state: Which,
    /// List the streams behind this one.
    #[arg(long, value_name = "STREAM")]
    after: Option<String>,
    /// How many at most.
    #[arg(long, default_value = "100", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Readable,
    Building,
    Previous,
}

/// The most that the API gives at once.
const PAGE: u64 = 1_000;

impl Quarantine {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let state = match self.state {
            Which::Readable => "readable",
            Which::Building => "building",
            Which::Previous => "previous",
        };
        let (mut after, mut left) = (self.after, self.limit);
        loop {
            let query = Query::of(wait::path(&self.name, "/quarantine")).with("state", state);
            let query = query.with("limit", left.min(PAGE)).with_some("after", after.as_deref());
            let page: QuarantinePage = client.get(query.path())?;
            if page.streams.is_empty() {
                context.output.remark(&format!("projection {:?} has no stream in quarantine", self.name));
            }
            page.streams.iter().try_for_each(|stream| context.output.data(stream, readable))?;
            left -= page.streams.len() as u64;
            after = page.next;
            if after.is_none() || left == 0 {
                break;
            }
        }
        if after.is_some() {
            context.output.remark("there are more; --limit says how many, --after behind which stream");
        }
        Ok(())
    }
}

fn readable(stream: &QuarantinedStream) -> String {
    let QuarantinedStream { stream, first, events, last } = stream;
    let (first, last) = (count(*first), count(*last));
    format!("{stream}  {} set aside, from sequence {first} to {last}", count_of(*events, "event"))
}
