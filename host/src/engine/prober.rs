//! The prober: lets every projection that runs fold a share of its batches once more, with code of the prober's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::code::fresh_projection;
use super::probe::{Condition, OtherCode, Probe};
use super::{Deployment, Error, Share};
use crate::plugin::{self, Sandbox, lower_priority};

/// All at once, which costs one more call; what it was is found out when something differs.
const WAYS: &[&[Condition]] = &[&[Condition::Cuts, Condition::Memory, Condition::Code]];

/// Compiles plugins without optimisation, once each, while they run already.
pub(super) struct Prober {
    share: Share,
    sandbox: Sandbox,
    /// By plugin and limits.
    code: Mutex<BTreeMap<String, OtherCode>>,
}

impl Prober {
    pub(super) fn new(share: Share) -> Result<Self, Error> {
        Ok(Self { share, sandbox: Sandbox::unoptimised()?, code: Mutex::default() })
    }

    /// What a deployment's feed needs. Until the code is compiled, batches are probed without it.
    pub(super) fn probe(&self, deployment: &Deployment, files: &plugin::Store) -> Result<Probe, Error> {
        let key = format!("{} {:?}", deployment.plugin, deployment.limits());
        let mut known = self.code.lock().expect("no thread panics while it looks for code");
        let code = match known.get(&key) {
            Some(code) => Arc::clone(code),
            None => {
                let code = OtherCode::default();
                self.compile(deployment, files, Arc::clone(&code))?;
                known.insert(key, Arc::clone(&code));
                code
            }
        };
        Ok(Probe { share: self.share, ways: WAYS, code })
    }

    fn compile(&self, deployment: &Deployment, files: &plugin::Store, code: OtherCode) -> Result<(), Error> {
        let (sandbox, files) = (self.sandbox.clone(), files.clone());
        let (digest, limits) = (deployment.plugin(), deployment.limits());
        let compile = move || {
            lower_priority();
            let compiled = fresh_projection(&sandbox, &files, digest, &limits);
            let compiled = compiled.inspect_err(|error| tracing::warn!(%digest, "probed without other code: {error}"));
            // It is set here alone.
            drop(OnceLock::set(&code, compiled.ok()));
        };
        let started = std::thread::Builder::new().name("probe-compiler".to_owned()).spawn(compile);
        started.map(drop).map_err(|error| plugin::Error::Engine(format!("no thread for the prober: {error}")).into())
    }
}
