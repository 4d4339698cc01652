//! `projection receipt` and `projection prove`: what the host signs of a state.

use clap::Args;

use super::{Client, Context, Error, wait};
use crate::cli::client::segments;
use crate::cli::receipt::Writing;
use crate::engine::Document;

#[derive(Debug, Args)]
pub(in crate::cli) struct Receipt {
    name: String,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Prove {
    name: String,
    key: String,
    #[command(flatten)]
    writing: Writing,
}

impl Receipt {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        catch_up(client, context, &self.name)?;
        let document: Document = client.get(&wait::path(&self.name, "/receipt"))?;
        self.writing.write(context, &document)
    }
}

impl Prove {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        catch_up(client, context, &self.name)?;
        let document: Document = client.get(&wait::path(&self.name, &format!("/proof/{}", segments(&self.key))))?;
        self.writing.write(context, &document)
    }
}

/// A state that cannot catch up has a receipt too, for where it is.
fn catch_up(client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
    let readable = wait::for_readers(client, context, name)?.readable;
    if wait::is_behind(&readable) {
        let phase = wait::phase(&readable);
        context.output.warn(&format!("projection {name:?} is {phase}; this speaks of what it has come to"));
    }
    Ok(())
}
