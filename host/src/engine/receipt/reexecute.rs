//! Checking a receipt against a log: recomputes chain and tree from the events, folds them again with the same plugins, and
//! compares.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Aspect, Check, Receipt, Refusal, StateReceipt, check_document, faults_digest};
use crate::engine::feed::Feed;
use crate::engine::journal::Journal;
use crate::engine::operate::parameters;
use crate::engine::outlet::Outlet;
use crate::engine::portion::Want;
use crate::engine::replay::Replay;
use crate::engine::source::Source;
use crate::engine::states::{CHECKS, Scratch};
use crate::engine::verify::run_watched;
use crate::engine::{Chains, Deployment, Document, DroppedPolicy, Engine, Error, Phase, Progress, Sizing};
use crate::event::{Digest, Sequence};
use crate::log;
use crate::plugin::{self, Failure, Limits, LoadError, Plugin, Upcaster};
use crate::state::{Reader, Store};

const OTHER_LIMITS: &str =
    "the state was made under limits that this polyfold does not have; check it with the version that made it";

/// Why a check ends early.
enum Stop {
    Refused(Refusal),
    /// It says nothing of the receipt.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Engine {
    /// Checks a document against this log, with its plugins, and with those given as files.
    ///
    /// # Errors
    /// Whatever keeps it from coming to an end. That the document is not to be believed is no error, but in the check.
    pub fn check(
        &self,
        document: Document,
        key: Option<&str>,
        given: &[Vec<u8>],
        mut watch: impl FnMut(&Progress) + Send,
    ) -> Result<Check, Error> {
        let mut check = check_document(document, key)?;
        if check.refusal.is_some() {
            return Ok(check);
        }
        match self.check_with_log(&mut check, given, &mut watch) {
            Ok(()) => {}
            Err(Stop::Refused(refusal)) => check.refusal = Some(refusal),
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(check)
    }

    fn check_with_log(
        &self,
        check: &mut Check,
        given: &[Vec<u8>],
        watch: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<(), Stop> {
        self.check_log(check, watch)?;
        let Receipt::State(state) = check.receipt.clone() else { return Ok(()) };
        let scratch = Scratch(self.hub.states.scratch(CHECKS, state.identity)?);
        let mut replay = self.replay_of(&state, given, Arc::clone(&scratch.0))?;
        check.holds.push(Aspect::Plugin);
        let progress = run_watched(&mut replay, Sequence(state.sequence), watch)?;
        let stopped = progress.visible.next();
        match progress.phase {
            Phase::Live => {}
            Phase::Halted(_) => {
                let why =
                    format!("the events can be folded only up to sequence {}: {}", progress.visible, progress.phase);
                return Err(Refusal::new(Aspect::Replay, why).into());
            }
            Phase::Replaying
            | Phase::Paused { .. }
            | Phase::OverQuota { .. }
            | Phase::Failed { .. }
            | Phase::Stopped => {
                let reason = progress.phase.to_string();
                return Err(Stop::Failed(Error::CheckStopped { sequence: stopped, reason }));
            }
        }
        check.holds.push(Aspect::Replay);
        let missing = replay.missing();
        compare(check, &state, &scratch.0.reader()?).map_err(|stop| match stop {
            // It may have been made when they were there.
            Stop::Refused(_) if !missing.is_none() => Stop::Failed(Error::MadeBeforeErasure {
                events: missing.redacted + missing.forgotten,
                sequence: Sequence(state.sequence),
            }),
            stop => stop,
        })
    }

    fn check_log(&self, check: &mut Check, watch: &mut (dyn FnMut(&Progress) + Send)) -> Result<(), Stop> {
        let said = check.receipt.log();
        let (id, head) = (self.log().id().to_string(), self.log().head().sequence);
        if said.log_id != id {
            return Err(Refusal::between(Aspect::LogId, "log's id", said.log_id, id).into());
        }
        check.holds.push(Aspect::LogId);
        if said.sequence > head.0 {
            let why = format!("the receipt speaks of {} events, and the log has {head}", said.sequence);
            return Err(Refusal::new(Aspect::Log, why).into());
        }
        let mut progress = |sequence| watch(&Progress::resting(Phase::Replaying, sequence));
        let archives = self.hub.archive.at_hand();
        let found = match self.log().recompute_with(archives.as_ref(), Sequence(said.sequence), &mut progress) {
            Ok(found) => found,
            Err(error @ log::Error::Damaged { .. }) => return Err(Refusal::new(Aspect::Log, error.to_string()).into()),
            Err(error) => return Err(error.into()),
        };
        check.holds.push(Aspect::Log);
        let at = |what: &str| format!("{what} at sequence {}", said.sequence);
        if said.chain_head != found.chain {
            return Err(Refusal::between(Aspect::ChainHead, &at("chain head"), said.chain_head, found.chain).into());
        }
        check.holds.push(Aspect::ChainHead);
        if said.event_root != found.root {
            return Err(Refusal::between(Aspect::EventRoot, &at("event root"), said.event_root, found.root).into());
        }
        check.holds.push(Aspect::EventRoot);
        Ok(())
    }

    /// A replay of the receipt's deployment from the beginning, whether it is in the catalogue or not.
    fn replay_of(&self, state: &StateReceipt, given: &[Vec<u8>], store: Arc<Store>) -> Result<Replay, Stop> {
        let deployment = &state.deployment;
        if deployment.prices().is_err() {
            return Err(Refusal::new(Aspect::Identity, OTHER_LIMITS).into());
        }
        let limits = deployment.limits();
        check_runs_here(deployment, &limits)?;
        let plugins = Plugins { engine: self, given: components(given) };
        let projection = match plugins.load(deployment.plugin(), &limits)? {
            Plugin::Projection(projection) => projection,
            Plugin::Upcaster(_) => return Err(not_a("projection", &deployment.plugin)),
        };
        if projection.abi() != deployment.abi {
            return Err(Refusal::between(Aspect::Plugin, "plugin's ABI", &deployment.abi, projection.abi()).into());
        }
        let mut upcasters: Vec<Arc<Upcaster>> = Vec::new();
        for digest in &deployment.upcasters {
            let digest = digest.parse().map_err(|_| not_a("upcaster", digest))?;
            match plugins.load(digest, &Limits { host_call_prices: limits.host_call_prices, ..Limits::default() })? {
                Plugin::Upcaster(upcaster) => upcasters.push(upcaster),
                Plugin::Projection(_) => return Err(not_a("upcaster", digest)),
            }
        }
        let chains = Chains::compose(&upcasters);
        let chains = Arc::new(chains.map_err(|error| Refusal::new(Aspect::Plugin, error.to_string()))?);
        let want = Want::of(deployment, projection.manifest());
        let source = Source::new(
            Arc::clone(&self.hub.log),
            Arc::clone(&self.hub.keys),
            Arc::clone(&self.hub.recent),
            chains,
            want,
        );
        let source = source.with_dropped(DroppedPolicy::Archive, &self.hub.archive);
        let (parameters, policy) = (deployment.parameters.as_str().into(), deployment.on_fault);
        let mut feed = Feed::of(projection, parameters, policy, Sizing::adaptive(), store.reader()?)?;
        feed.upcasters.clone_from(&deployment.upcasters);
        // A journal that nobody follows.
        let outlet = Outlet::new(state.identity, Arc::new(Journal::new(state.identity)));
        Ok(Replay::new(source, feed, store, Arc::new(outlet))?)
    }
}

/// What this version cannot do as the receipt says, it cannot check.
fn check_runs_here(deployment: &Deployment, limits: &Limits) -> Result<(), Refusal> {
    let own: Vec<(String, u64)> =
        limits.describe_identity().into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect();
    if own != deployment.limits {
        return Err(Refusal::new(Aspect::Identity, OTHER_LIMITS));
    }
    match parameters(&deployment.parameters) {
        Ok(canonical) if canonical == deployment.parameters => Ok(()),
        Ok(_) | Err(_) => Err(Refusal::new(Aspect::Identity, "the parameters are no JSON object in canonical form")),
    }
}

fn not_a(kind: &str, digest: impl std::fmt::Display) -> Stop {
    Refusal::new(Aspect::Plugin, format!("plugin {digest} is no {kind}, and the receipt has it as one")).into()
}

fn components(given: &[Vec<u8>]) -> BTreeMap<Digest, Vec<u8>> {
    let mut by_digest = BTreeMap::new();
    for bytes in given {
        // What is no plugin is none of those that the receipt names.
        let component = plugin::component(bytes).map_or_else(|_| bytes.clone(), Cow::into_owned);
        by_digest.insert(Digest::of(&component), component);
    }
    by_digest
}

/// Plugins by digest: those given, and those of the data directory.
struct Plugins<'a> {
    engine: &'a Engine,
    given: BTreeMap<Digest, Vec<u8>>,
}

impl Plugins<'_> {
    fn load(&self, digest: Digest, limits: &Limits) -> Result<Plugin, Stop> {
        self.engine.admit_digest(digest)?;
        let stored;
        let bytes = match self.given.get(&digest) {
            Some(bytes) => bytes,
            None => {
                stored = self.engine.plugins.read(digest).map_err(|error| self.missing(digest, error))?;
                &stored
            }
        };
        self.engine.sandbox.load(digest, bytes, limits).map_err(|error| unfit(digest, error))
    }

    fn missing(&self, digest: Digest, error: plugin::Error) -> Stop {
        let why = match error {
            plugin::Error::Missing { .. } if self.given.is_empty() => {
                format!(
                    "the receipt names plugin {digest}, which is not in the data directory; name its file with --plugin"
                )
            }
            plugin::Error::Missing { .. } => {
                let given = self.given.keys().map(Digest::to_string).collect::<Vec<_>>().join(", ");
                format!("the receipt names plugin {digest}, and no file with these bytes is here (given: {given})")
            }
            plugin::Error::Damaged { .. } => format!("plugin {digest}: {error}"),
            plugin::Error::Io { .. } | plugin::Error::TooLarge { .. } | plugin::Error::Engine(_) => {
                return Stop::Failed(error.into());
            }
        };
        Refusal::new(Aspect::Plugin, why).into()
    }
}

/// The same bytes under the same limits fail everywhere, so no state can have been made with them.
fn unfit(digest: Digest, error: LoadError) -> Stop {
    match error {
        LoadError::Refused(_) | LoadError::Describe(Failure::Verdict(_)) | LoadError::Manifest(_) => {
            let why = format!("plugin {digest} cannot run as the receipt says: {error}");
            Refusal::new(Aspect::Plugin, why).into()
        }
        LoadError::Describe(Failure::Mishap(_)) | LoadError::Host(_) => Stop::Failed(error.into()),
    }
}

/// Holds what was made anew against what the receipt says.
fn compare(check: &mut Check, state: &StateReceipt, made: &Reader) -> Result<(), Stop> {
    let digest = made.digest()?;
    if digest != state.state_digest {
        return Err(Refusal::between(Aspect::StateDigest, "state digest", state.state_digest, digest).into());
    }
    check.holds.push(Aspect::StateDigest);
    let totals = made.totals()?;
    if (totals.entries, totals.bytes) != (state.entries, state.entry_bytes) {
        let [said, found] = [(state.entries, state.entry_bytes), (totals.entries, totals.bytes)]
            .map(|(entries, bytes)| format!("{entries} of {bytes} bytes"));
        return Err(Refusal::between(Aspect::Entries, "number of entries", said, found).into());
    }
    check.holds.push(Aspect::Entries);
    let faults = made.faults()?;
    let (said, found) = ((state.faults, state.faults_digest), (faults.len() as u64, faults_digest(&faults)));
    if said != found {
        let [said, found] = [said, found].map(|(count, digest)| format!("{count} with the digest {digest}"));
        return Err(Refusal::between(Aspect::Faults, "list of faults", said, found).into());
    }
    check.holds.push(Aspect::Faults);
    Ok(())
}
