//! What a deployment runs: its plugin and its upcasters, compiled.

use std::sync::Arc;

use super::{Chains, Deployment, Engine, Error, PluginKind};
use crate::event::Digest;
use crate::plugin::{self, Limits, Plugin, Projection, Sandbox, Upcaster};

/// The compiled code of a deployment.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) plugin: Arc<Projection>,
    pub(super) chains: Arc<Chains>,
}

impl Engine {
    /// The code that states run, from the cache of compiled code if it is there.
    ///
    /// # Errors
    /// Where a signature is required and one of its plugins has none that counts: whatever runs events comes through here.
    pub(super) fn code(&self, deployment: &Deployment) -> Result<Code, Error> {
        self.admit_deployment(deployment)?;
        let plugin = self.projection_plugin(deployment.plugin(), &deployment.limits())?;
        Ok(Code { plugin, chains: self.chains_in(deployment)? })
    }

    /// The same, compiled anew from the plugins' files in a sandbox of its own: neither the cache nor what is loaded has
    /// a part in it.
    pub(super) fn fresh_code(&self, deployment: &Deployment) -> Result<Code, Error> {
        self.admit_deployment(deployment)?;
        let sandbox = Sandbox::new(None)?;
        let plugin = fresh_projection(&sandbox, &self.plugins, deployment.plugin(), &deployment.limits())?;
        let upcasters = deployment.upcasters.iter().map(|digest| {
            let digest = digest.parse().expect("digests are checked when the catalogue is opened");
            self.fresh_upcaster(&sandbox, digest)
        });
        let upcasters = upcasters.collect::<Result<Vec<_>, _>>()?;
        Ok(Code { plugin, chains: Arc::new(Chains::compose(&upcasters)?) })
    }

    fn fresh_upcaster(&self, sandbox: &Sandbox, digest: Digest) -> Result<Arc<Upcaster>, Error> {
        match sandbox.load(digest, &self.plugins.read(digest)?, &Limits::default())? {
            Plugin::Upcaster(upcaster) => Ok(upcaster),
            Plugin::Projection(projection) => Err(Error::WrongKind {
                name: projection.manifest().name.to_string(),
                found: PluginKind::Projection.phrase(),
                wanted: PluginKind::Upcaster.phrase(),
            }),
        }
    }
}

/// Compiles a projection in that sandbox, whatever other one has it compiled already.
pub(super) fn fresh_projection(
    sandbox: &Sandbox,
    files: &plugin::Store,
    digest: Digest,
    limits: &Limits,
) -> Result<Arc<Projection>, Error> {
    match sandbox.load(digest, &files.read(digest)?, limits)? {
        Plugin::Projection(projection) => Ok(projection),
        Plugin::Upcaster(upcaster) => Err(Error::WrongKind {
            name: upcaster.manifest().name.to_string(),
            found: PluginKind::Upcaster.phrase(),
            wanted: PluginKind::Projection.phrase(),
        }),
    }
}
