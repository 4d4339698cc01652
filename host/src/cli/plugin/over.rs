//! Lets a projection go over to another build of its plugin.

use super::{Client, Context, Error, Projection, wait};
use crate::server::model::Upgrade;
use crate::server::problem::Code;

/// Upgrades a projection and waits until the new state serves or cannot go on.
pub(super) fn go_over(
    client: &mut Client,
    context: &mut Context,
    name: &str,
    upgrade: Upgrade,
) -> Result<Projection, Error> {
    // What was not finished of the build before is of no use any more.
    let now: Projection = client.get(&wait::path(name, ""))?;
    if now.building.is_some() && now.is_serving {
        let abandoned = client.act::<Projection>(&wait::path(name, "/abandon"));
        // It may just have taken over.
        if let Err(error) = abandoned
            && error.code() != Some(Code::NoOtherState)
        {
            return Err(error);
        }
    }
    let upgrade = Upgrade { auto_promote: true, ..upgrade };
    let _: Projection = client.post(&wait::path(name, "/upgrade"), &upgrade)?;
    wait::for_one(client, context, name)
}
