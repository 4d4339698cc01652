//! `projection compare`: what an upgrade changes, or changed.

use clap::Args;

use super::{Client, Context, Error, wait};
use crate::cli::client::Query;
use crate::cli::output::{count, show};
use crate::server::data::Data;
use crate::server::model::{Compared, Comparison, Differing, FirstDifference};

/// Compare the state that is being built, or that served before, with the one that serves.
#[derive(Debug, Args)]
pub(in crate::cli) struct Compare {
    name: String,
    /// Show so many of the keys that differ.
    #[arg(long, default_value = "10", value_name = "N")]
    limit: u64,
    /// Show the keys behind this one.
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    /// Do not look for the first event after which the two differ; that takes a replay of the log.
    #[arg(long)]
    no_first_difference: bool,
}

impl Compare {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        // Without a host nothing follows the log: both states are started by the first wait.
        wait::for_readers(client, context, &self.name)?;
        let page = Page { after: self.after.as_deref(), limit: self.limit };
        let comparison = compare(client, context, &self.name, page, !self.no_first_difference)?;
        context.output.data(&comparison, readable)?;
        if comparison.next.is_some() {
            context.output.remark("there are more; --after says behind which key, --limit how many");
        }
        Ok(())
    }
}

/// Which of the keys that differ are shown.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Page<'a> {
    pub(in crate::cli) after: Option<&'a str>,
    pub(in crate::cli) limit: u64,
}

/// Compares the two states of a projection that is running.
pub(in crate::cli) fn compare(
    client: &mut Client,
    context: &Context,
    name: &str,
    page: Page<'_>,
    first_difference: bool,
) -> Result<Comparison, Error> {
    let query = Query::of(wait::path(name, "/compare")).with("limit", page.limit).with_some("after", page.after);
    let query = query.with("first_difference", first_difference);
    let bar = context.output.events_bar("comparing", 0);
    let comparison = client.work(query.path(), |progress| show(&bar, progress));
    bar.finish_and_clear();
    comparison
}

fn readable(comparison: &Comparison) -> String {
    let Comparison { serving, other, role, added, removed, changed, unchanged, .. } = comparison;
    let state = |state: &Compared| {
        let Compared { identity, plugin, checkpoint, entries } = state;
        let identity = identity.get(..12).unwrap_or(identity);
        format!("{plugin} {identity}, {} entries at sequence {}", count(*entries), count(*checkpoint))
    };
    let counts = [("added", added), ("removed", removed), ("changed", changed), ("unchanged", unchanged)];
    let mut lines = vec![format!("{:<11} {}", "serving", state(serving)), format!("{role:<11} {}", state(other))];
    lines.extend(counts.map(|(name, keys)| format!("{name:<11} {}", count(*keys))));
    lines.extend(comparison.examples.iter().map(example));
    lines.extend(comparison.first_difference.iter().map(first));
    lines.join("\n")
}

fn example(differing: &Differing) -> String {
    let text = |value: &Option<Data>| value.as_ref().map(Data::text);
    difference(&differing.key, text(&differing.serving), text(&differing.other))
}

/// What one state has under a key and the other has not, or has otherwise.
pub(in crate::cli) fn difference(key: &str, left: Option<String>, right: Option<String>) -> String {
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
    match (left, right) {
        (None, Some(value)) => format!("+ {key}\t{value}"),
        (Some(value), None) => format!("- {key}\t{value}"),
        (left, right) => format!("~ {key}\n  - {}\n  + {}", or_nothing(left), or_nothing(right)),
    }
}

fn first(difference: &FirstDifference) -> String {
    let FirstDifference { sequence, stream, event_type, key, serving, other } = difference;
    let (serving, other) = (value(serving), value(other));
    format!("they differ since sequence {sequence}, {stream} {event_type}, in {key}:\n  - {serving}\n  + {other}")
}

fn value(value: &Option<Data>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), Data::text)
}
