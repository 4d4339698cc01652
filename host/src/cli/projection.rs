//! `projection`: what runs, and what it made.

pub(super) mod check;
pub(super) mod compare;
pub(super) mod create;
mod debug;
mod explain;
mod history;
mod quarantine;
mod quota;
mod read;
mod receipt;
mod snapshots;
mod status;
mod upgrade;
mod verify;

use clap::{Subcommand, ValueEnum};

use super::client::Client;
use super::error::Error;
use super::{Context, wait};
use crate::server::model;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a projection and build its state.
    Create(create::Create),
    /// List projections.
    List,
    /// Show how far projections are, and what holds them up.
    Status {
        /// Only this projection.
        name: Option<String>,
    },
    /// Print the value of a key, after the projection has caught up.
    Get(read::Get),
    /// Print entries in key order, after the projection has caught up.
    Scan(read::Scan),
    /// List the events on which the projection failed.
    Faults {
        name: String,
    },
    /// List the streams that the projection has set aside since an event of theirs failed.
    Quarantine(quarantine::Quarantine),
    /// Run the plugin on one event once more, over the state right before it, and print what it does.
    Debug(debug::Debug),
    Explain(explain::Explain),
    /// Build the state anew beside the one that serves, then switch.
    Rebuild {
        name: String,
    },
    /// Build a new state, of another plugin or other settings, beside the one that serves.
    Upgrade(upgrade::Upgrade),
    /// Show or change what a projection may use of fuel and of room; over quota it rests.
    Quota(quota::Change),
    /// Take a snapshot of the state as it is now; it stays until it is removed.
    Snapshot {
        name: String,
    },
    Snapshots(snapshots::Snapshots),
    Keep(snapshots::Change),
    History(history::History),
    /// Compare the state that is being built, or that served before, with the one that serves.
    Compare(compare::Compare),
    /// Let the state that was built beside it serve; the one before is kept for a rollback.
    Promote {
        name: String,
    },
    /// Return to the state that served before.
    Rollback {
        name: String,
    },
    /// Drop the state that is being built beside the one that serves.
    Abandon {
        name: String,
        /// Drop the state that is kept for a rollback instead.
        #[arg(long)]
        previous: bool,
    },
    /// Build the state anew in other batches, by code compiled anew, and compare it with the one that serves.
    Verify(verify::Verify),
    /// Sign what the state is, for anyone who wants to check it.
    Receipt(receipt::Receipt),
    /// Prove what the state holds under a key, or that it holds nothing there, to who has nothing of it.
    Prove(receipt::Prove),
    /// Delete a projection and its states. Events and plugins stay.
    Delete {
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnFault {
    /// Stop before the event and keep serving what is there.
    Halt,
    /// Record the fault and go on.
    Skip,
    /// Record the fault, set aside the event and all later ones of its stream, and go on with all other streams.
    Quarantine,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnDropped {
    /// Read them from the archive; what that lacks is an error.
    Archive,
    /// Go on without them, and count them.
    Accept,
    /// Do not make a state without them, and do not read the archive.
    Refuse,
}

impl From<OnDropped> for model::OnDropped {
    fn from(dropped: OnDropped) -> Self {
        match dropped {
            OnDropped::Archive => Self::Archive,
            OnDropped::Accept => Self::Accept,
            OnDropped::Refuse => Self::Refuse,
        }
    }
}

impl From<OnFault> for model::OnFault {
    fn from(policy: OnFault) -> Self {
        match policy {
            OnFault::Halt => Self::Halt,
            OnFault::Skip => Self::Skip,
            OnFault::Quarantine => Self::Quarantine,
        }
    }
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let client = &mut context.connect()?;
        match self {
            Self::Create(create) => create.run(client, context),
            Self::List => status::list(client, context),
            Self::Status { name } => status::status(client, context, name.as_deref()),
            Self::Get(get) => get.run(client, context),
            Self::Scan(scan) => scan.run(client, context),
            Self::Faults { name } => check::faults(client, context, &name),
            Self::Quarantine(quarantine) => quarantine.run(client, context),
            Self::Debug(debug) => debug.run(client, context),
            Self::Explain(explain) => explain.run(client, context),
            Self::Rebuild { name } => check::rebuild(client, context, &name),
            Self::Upgrade(upgrade) => upgrade.run(client, context),
            Self::Quota(change) => change.run(client, context),
            Self::Snapshot { name } => snapshots::take(client, context, &name),
            Self::Snapshots(snapshots) => snapshots.run(client, context),
            Self::Keep(change) => change.run(client, context),
            Self::History(history) => history.run(client, context),
            Self::Compare(compare) => compare.run(client, context),
            Self::Promote { name } => upgrade::switch(client, context, &name, "/promote"),
            Self::Rollback { name } => upgrade::switch(client, context, &name, "/rollback"),
            Self::Abandon { name, previous } => {
                let how = if previous { "/abandon?state=previous" } else { "/abandon?state=building" };
                upgrade::switch(client, context, &name, how)
            }
            Self::Verify(verify) => verify.run(client, context),
            Self::Receipt(receipt) => receipt.run(client, context),
            Self::Prove(prove) => prove.run(client, context),
            Self::Delete { name } => delete(client, context, &name),
        }
    }
}

fn delete(client: &mut Client, context: &Context, name: &str) -> Result<(), Error> {
    client.delete(&wait::path(name, "")).map_err(|error| unsure(error, name))?;
    context.output.remark(&format!("projection {name:?} deleted"));
    Ok(())
}

/// Says how to find out whether something was done whose answer was lost.
fn unsure(error: Error, name: &str) -> Error {
    error.advised(&format!("`polyfold projection status {name}` shows whether it was done"))
}
