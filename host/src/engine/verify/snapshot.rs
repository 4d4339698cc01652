//! Kept snapshots: a state that was built and verified, from which later verifications may start.
//!
//! Its file lies beside the state's, one a projection, and the catalogue says whose it is, how far it goes and what the
//! digest of its entries is. What does not fit that is not used, and whoever asked for it is told.

use crate::engine::states::Scratch;
use crate::engine::{Deployment, Engine, Error, Kept};
use crate::event::Sequence;

impl Engine {
    /// A copy of the kept snapshot to go on from, or why it is of no use.
    pub(super) fn start_from_kept(
        &self,
        name: &str,
        deployment: &Deployment,
        target: Sequence,
    ) -> Result<Scratch, String> {
        let projection = self.projection(name).map_err(|error| error.to_string())?;
        let kept = projection.kept.ok_or("none is kept; --keep-snapshot keeps one")?;
        let identity = deployment.identity();
        if kept.identity != identity.to_string() {
            return Err("it is of another identity than the state".to_owned());
        }
        if kept.sequence > target.0 {
            return Err(format!("it is at sequence {}, behind which the state has not come", kept.sequence));
        }
        let scratch = self.hub.states.scratch_of_kept(name, identity).map_err(|error| error.to_string())?;
        let checked = scratch.0.reader().and_then(|reader| reader.check_tree());
        if let Some(disagreement) = checked.map_err(|error| error.to_string())? {
            return Err(format!("it is damaged: {disagreement}"));
        }
        let found = describe(identity.to_string(), &scratch).map_err(|error| error.to_string())?;
        if found != kept {
            let (digest, sequence) = (&found.digest, found.sequence);
            return Err(format!(
                "it is not as it was kept: its digest is {digest} at sequence {sequence}, not {} at {}",
                kept.digest, kept.sequence
            ));
        }
        Ok(scratch)
    }

    /// Keeps what was built and verified; another snapshot of the projection is no longer kept.
    pub(super) fn keep_snapshot(&self, name: &str, deployment: &Deployment, scratch: &Scratch) -> Result<Kept, Error> {
        let kept = describe(deployment.identity().to_string(), scratch)?;
        // Until the catalogue says so too, the file is not what the catalogue says, and so is not used.
        self.hub.states.keep(name, deployment.identity(), scratch)?;
        self.hub.catalogue.change(|content| {
            content.projection_mut(name)?.kept = Some(kept.clone());
            Ok(())
        })?;
        self.hub.states.remove_kept(name, Some(&kept.identity))?;
        Ok(kept)
    }

    /// Removes snapshots of which the catalogue knows nothing, or whose state is gone. That one stays hurts nobody.
    pub(in crate::engine) fn remove_unknown_snapshots(&self) {
        for projection in self.projections() {
            let known = projection.kept_snapshot().map(|kept| kept.identity.as_str());
            if let Err(error) = self.hub.states.remove_kept(&projection.name, known) {
                tracing::warn!("{error}");
            }
        }
    }
}

fn describe(identity: String, scratch: &Scratch) -> Result<Kept, Error> {
    let reader = scratch.0.reader()?;
    let (sequence, digest) = (reader.checkpoint().sequence.0, reader.digest()?.to_string());
    Ok(Kept { identity, sequence, digest })
}
