//! `config`: every setting, its value, and where it comes from.

use clap::Args;

use super::Context;
use super::error::Error;
use super::settings::Service;

#[derive(Debug, Args)]
pub(super) struct Config {
    /// The settings of `serve` can be tried here.
    #[command(flatten)]
    pub(super) service: Service,
}

impl Config {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        for setting in context.settings.shown.clone() {
            context.output.data(&setting, |setting| {
                let value = if setting.value.is_empty() { "-" } else { &setting.value };
                format!("{:<16} {value:<24} {}", setting.name, setting.source)
            })?;
        }
        Ok(())
    }
}
