//! `projection create`: a plugin, settings and a name.

use clap::Args;

use super::{Client, Context, Error, OnDropped, OnFault, quota, snapshots, status, unsure, wait};
use crate::event::PluginName;
use crate::server::data::Data;
use crate::server::model::{NewProjection, Projection};

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The projection's name: 1 to 64 of a-z, 0-9 and -.
    name: PluginName,
    /// The plugin that it runs: name, name@version, or the start of its digest. Its own name if left out.
    #[arg(long)]
    plugin: Option<String>,
    /// A JSON object that the plugin can read.
    #[arg(long, default_value = "{}")]
    parameters: String,
    /// What to do with an event on which the plugin fails.
    #[arg(long, value_enum, default_value = "halt")]
    on_fault: OnFault,
    /// Fuel for one event; default 1,000,000,000.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    fuel_per_event: Option<u64>,
    /// Memory of an instance in bytes; default 268,435,456.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    memory_bytes: Option<u64>,
    /// Apply events inside the append, so that readers see their own writes; a fault refuses the append.
    #[arg(long)]
    sync: bool,
    /// What to do about events whose payloads a retention policy let go.
    #[arg(long, value_enum, default_value = "archive")]
    dropped: OnDropped,
    #[command(flatten)]
    quota: quota::New,
    #[command(flatten)]
    keep: snapshots::KeepArgs,
    /// Only create it; a host builds it by itself, or else the next command that needs its state.
    #[arg(long)]
    no_wait: bool,
}

impl Create {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let name = self.name.to_string();
        let new = NewProjection {
            name: name.clone(),
            plugin: self.plugin,
            parameters: Some(parameters(&self.parameters)?),
            on_fault: Some(self.on_fault.into()),
            fuel_per_event: self.fuel_per_event,
            memory_bytes: self.memory_bytes,
            sync: self.sync,
            quota: Some(self.quota.quota()),
            keep: Some(self.keep.keep()),
            dropped: Some(self.dropped.into()),
        };
        let created = client.post("/projections", &new).map_err(|error| unsure(error, &name));
        let created: Projection = created?;
        if self.no_wait {
            return status::print_short(context, created);
        }
        let there = wait::for_one(client, context, &name)?;
        let behind = wait::is_behind(&there.readable).then(|| wait::phase(&there.readable));
        status::print_short(context, there)?;
        let incomplete = |phase| Error::Incomplete(format!("projection {name:?} was created, but is {phase}"));
        behind.map_or(Ok(()), |phase| Err(incomplete(phase)))
    }
}

/// Parameters as they are sent; whether they are an object that fits, the API says.
pub(in crate::cli) fn parameters(text: &str) -> Result<Data, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::Usage(format!("parameters must be a JSON object: not valid JSON: {error}")))
}
