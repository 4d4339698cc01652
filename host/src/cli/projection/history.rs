//! `projection history`: the values that a key had.

use clap::Args;

use super::{Client, Context, Error, wait};
use crate::cli::client::{Query, segments};
use crate::cli::output::{count, show};
use crate::server::model::{KeyHistory, KeyValue};

/// Print the values that a key had, the latest first, each with the event that made it.
///
/// Where the state's history has it that is read; before, up to 100,000 events are folded one by one, which takes a second
/// or two for a Rust plugin.
#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    name: String,
    key: String,
    /// How many at most.
    #[arg(long, default_value = "10", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    limit: u64,
    /// Only values that were made by events before this one.
    #[arg(long, value_name = "SEQUENCE")]
    before: Option<u64>,
}

impl History {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        context.output.flush()?;
        let query = Query::of(wait::path(&self.name, &format!("/history/{}", segments(&self.key))));
        let query = query.with("limit", self.limit).with_some("before", self.before);
        let bar = context.output.events_bar(&self.name, 0);
        let read = client.look::<KeyHistory>(query.path(), |progress| show(&bar, progress));
        bar.finish_and_clear();
        let history = read?;
        history.values.iter().try_for_each(|value| context.output.data(value, readable))?;
        match history.next {
            Some(next) => context.output.remark(&format!("there may be more; --before {next} goes on")),
            None if history.values.is_empty() => {
                context.output.remark(&format!("projection {:?} never had an entry {:?}", self.name, self.key));
            }
            None => {}
        }
        Ok(())
    }
}

fn readable(value: &KeyValue) -> String {
    let KeyValue { sequence, recorded_at, stream, event_type, value } = value;
    let value = value.as_ref().map_or_else(|| "(deleted)".to_owned(), crate::server::data::Data::text);
    format!("{}  {recorded_at}  {stream}  {event_type}  {value}", count(*sequence))
}
