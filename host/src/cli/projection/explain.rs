//! `projection explain`: which events cost the most.

use clap::Args;

use super::{Client, Context, Error, wait};
use crate::cli::client::Query;
use crate::cli::output::{count, count_of, show};
use crate::server::model::{CostlyEvent, Explained};

/// Show the events that cost the most fuel: what a call of the plugin with each of them alone takes.
///
/// The state's costliest calls are made again over a state that is built from the log for this; the state itself is not
/// touched.
#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    name: String,
    /// How many events, at most 32.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=32))]
    limit: u64,
}

impl Explain {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let query = Query::of(wait::path(&self.name, "/explain")).with("limit", self.limit);
        let bar = context.output.events_bar(&self.name, 0);
        let explained = client.look::<Explained>(query.path(), |progress| show(&bar, progress));
        bar.finish_and_clear();
        context.output.data(&explained?, readable)
    }
}

fn readable(explained: &Explained) -> String {
    let Explained { events, fuel, fuel_per_event, calls_examined, events_examined, others_at_most, .. } = explained;
    let average = count(fuel.checked_div(*events).unwrap_or(0));
    let mut lines = vec![format!(
        "{} took {} fuel, {average} each on an average; one may use {}",
        count_of(*events, "event"),
        count(*fuel),
        count(*fuel_per_event)
    )];
    lines.push(format!(
        "examined one by one: {} of the costliest {}",
        count_of(*events_examined, "event"),
        count_of(*calls_examined, "call")
    ));
    lines.push(match others_at_most {
        Some(fuel) => format!("no event outside these took more than {}", count(*fuel)),
        None => "there are no other calls".to_owned(),
    });
    lines.extend(explained.costliest.iter().map(|event| line(event, *fuel_per_event)));
    lines.join("\n")
}

fn line(event: &CostlyEvent, fuel_per_event: u64) -> String {
    let CostlyEvent { sequence, stream, event_type, fuel } = event;
    let share = *fuel as f64 * 100.0 / fuel_per_event as f64;
    format!("{:>12}  {:>15} fuel, {share:.3} %  {stream}  {event_type}", count(*sequence), count(*fuel))
}
