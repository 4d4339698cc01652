//! `projection quota`: what a projection may use.

use std::str::FromStr;

use clap::Args;

use super::{Client, Context, Error, status, unsure, wait};
use crate::server::model::{Projection, Quota};

#[derive(Debug, Args)]
pub(in crate::cli) struct Change {
    /// The projection. Without options its quota is shown.
    name: String,
    /// Fuel of all its calls a second, on an average over 10 seconds, or `none`.
    #[arg(long, value_name = "FUEL|none", value_parser = rate)]
    fuel_per_second: Option<Bound>,
    /// Keys and values of a state in bytes, or `none`.
    #[arg(long, value_name = "BYTES|none")]
    state_bytes: Option<Bound>,
    /// Entries of a state, or `none`.
    #[arg(long, value_name = "ENTRIES|none")]
    state_entries: Option<Bound>,
}

/// The options of a projection that is made.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct New {
    /// What all its calls may use of fuel a second, on an average over 10 seconds; it rests over that.
    #[arg(long, value_name = "FUEL", value_parser = clap::value_parser!(u64).range(1..))]
    quota_fuel_per_second: Option<u64>,
    /// How many bytes keys and values of a state may have; it rests before it passes that.
    #[arg(long, value_name = "BYTES")]
    quota_state_bytes: Option<u64>,
    /// How many entries a state may have; likewise.
    #[arg(long, value_name = "ENTRIES")]
    quota_state_entries: Option<u64>,
}

/// A number, or that there is none.
#[derive(Clone, Copy, Debug)]
struct Bound(Option<u64>);

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|number| Self(Some(number))).map_err(|_| "neither a whole number nor `none`".to_owned())
    }
}

/// A bound of what is used over time: with none of it nothing would ever be done.
fn rate(text: &str) -> Result<Bound, String> {
    match text.parse()? {
        Bound(Some(0)) => Err("at least 1, or `none` for no limit".to_owned()),
        bound => Ok(bound),
    }
}

impl New {
    pub(super) fn quota(self) -> Quota {
        let Self { quota_fuel_per_second, quota_state_bytes, quota_state_entries } = self;
        Quota {
            fuel_per_second: quota_fuel_per_second,
            state_bytes: quota_state_bytes,
            state_entries: quota_state_entries,
        }
    }
}

impl Change {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        let Self { name, fuel_per_second, state_bytes, state_entries } = self;
        let there: Projection = client.get(&wait::path(&name, ""))?;
        let changed = |bound: Option<Bound>, before: Option<u64>| bound.map_or(before, |Bound(bound)| bound);
        let quota = Quota {
            fuel_per_second: changed(fuel_per_second, there.quota.fuel_per_second),
            state_bytes: changed(state_bytes, there.quota.state_bytes),
            state_entries: changed(state_entries, there.quota.state_entries),
        };
        if quota != there.quota {
            let set = client.put(&wait::path(&name, "/quota"), &quota).map_err(|error| unsure(error, &name));
            let _: Projection = set?;
        }
        context.output.data(&quota, |quota| status::quota(quota).unwrap_or_else(|| "no quota".to_owned()))
    }
}
