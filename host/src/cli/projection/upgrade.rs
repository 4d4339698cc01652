//! `projection upgrade`, and what becomes of the new state: promote, rollback, abandon.

use clap::Args;

use super::create::parameters;
use super::{Client, Context, Error, OnDropped, OnFault, status, unsure, wait};
use crate::cli::output::show_state;
use crate::server::model::{self, Phase, Projection};

/// Build a new state, of another plugin or other settings, beside the one that serves.
///
/// What is left out stays as it is. The old state goes on serving and following until the new one is promoted.
#[derive(Debug, Args)]
pub(in crate::cli) struct Upgrade {
    name: String,
    /// The plugin: name, name@version, or the start of its digest. The newest of the same name if left out.
    #[arg(long)]
    plugin: Option<String>,
    /// A JSON object that the plugin can read.
    #[arg(long)]
    parameters: Option<String>,
    /// What to do with an event on which the plugin fails.
    #[arg(long, value_enum)]
    on_fault: Option<OnFault>,
    /// Fuel for one event.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    fuel_per_event: Option<u64>,
    /// Memory of an instance in bytes.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    memory_bytes: Option<u64>,
    /// What to do about events whose payloads a retention policy let go, from now on.
    #[arg(long, value_enum)]
    dropped: Option<OnDropped>,
    /// Let the new state serve as soon as it has caught up.
    #[arg(long)]
    auto_promote: bool,
    /// Return at once, whether or not the new state is built.
    #[arg(long)]
    no_wait: bool,
}

impl Upgrade {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let name = self.name;
        let upgrade = model::Upgrade {
            plugin: self.plugin,
            parameters: self.parameters.as_deref().map(parameters).transpose()?,
            on_fault: self.on_fault.map(Into::into),
            fuel_per_event: self.fuel_per_event,
            memory_bytes: self.memory_bytes,
            dropped: self.dropped.map(Into::into),
            auto_promote: self.auto_promote,
        };
        let before: Projection = client.get(&wait::path(&name, ""))?;
        let begun = client.post(&wait::path(&name, "/upgrade"), &upgrade).map_err(|error| unsure(error, &name));
        let begun: Projection = begun?;
        // What was built within a moment serves already, under another identity.
        if begun.building.is_none() && begun.readable.identity == before.readable.identity {
            let text = match before.dropped == begun.dropped {
                true => format!("{name} runs {} with these settings already; nothing is built", begun.readable.plugin),
                false => format!(
                    "what {name} does about compacted events is changed; `projection rebuild {name}` makes its state so"
                ),
            };
            context.output.remark(&text);
        }
        let there = if self.no_wait { begun } else { built(client, context, begun)? };
        let behind = there.building.as_ref().filter(|state| !self.no_wait && wait::is_behind(state)).map(wait::phase);
        let waits = there.building.is_some() && !self.no_wait && !there.auto_promote;
        let redriven = there.building.as_ref().unwrap_or(&there.readable).redriven;
        status::print_short(context, there)?;
        if let Some(text) = status::redriven(redriven) {
            context.output.remark(&format!("folded {text}"));
        }
        match behind {
            Some(phase) => {
                let text = format!("the new state of projection {name:?} is {phase}; the old one goes on serving");
                Err(Error::Incomplete(text))
            }
            None if waits => {
                let text = format!("`polyfold projection compare {name}` compares the two, `promote` switches");
                context.output.remark(&text);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Waits until the new state has caught up with the log as it is now, serves, or cannot go on.
fn built(client: &mut Client, context: &mut Context, begun: Projection) -> Result<Projection, Error> {
    let (name, head) = (begun.name, begun.head);
    let mut there = wait::for_readers(client, context, &name)?;
    let bar = context.output.events_bar(&name, head);
    while let Some(state) = &there.building {
        let is_there = state.phase == Phase::Live && state.checkpoint >= head && !there.auto_promote;
        if is_there || matches!(state.phase, Phase::Halted | Phase::Paused | Phase::OverQuota | Phase::Failed) {
            break;
        }
        show_state(&bar, state, head);
        std::thread::park_timeout(wait::LOOK);
        there = client.get(&wait::path(&name, ""))?;
    }
    bar.finish_and_clear();
    Ok(there)
}

/// Promotes, rolls back or abandons, and tells how it stands then.
pub(super) fn switch(client: &mut Client, context: &mut Context, name: &str, how: &str) -> Result<(), Error> {
    let _: Projection = client.act(&wait::path(name, how)).map_err(|error| unsure(error, name))?;
    let there = wait::for_readers(client, context, name)?;
    let kept = there.previous.as_ref().map_or_else(String::new, |previous| {
        format!("; {} {} is kept for a rollback", previous.plugin, &previous.identity[..12])
    });
    context.output.remark(&format!("{} {} serves{kept}", there.readable.plugin, &there.readable.identity[..12]));
    status::print_short(context, there)
}
