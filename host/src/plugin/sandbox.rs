//! The sandbox: an engine, its clock for deadlines, and its cache of compiled code.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::cache::{Cache, name_of};
use super::call::Core;
use super::compiler::{Compiler, Compiling};
use super::inspect::{Kind, brief, inspect, needs_wasi};
use super::{Error, Limits, LoadError, Projection, Refused, Upcaster, bulk, settings, wasi};
use crate::event::Digest;

/// Where plugins are compiled and run. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: String,
    cache: Option<Cache>,
    compiler: Compiler,
    /// Dropped with the sandbox, which ends its ticker.
    _ticker: Sender<()>,
}

/// A plugin, ready to run.
#[derive(Clone, Debug)]
pub enum Plugin {
    Projection(Arc<Projection>),
    Upcaster(Arc<Upcaster>),
}

/// 100 ms: ten wake-ups a second cost nothing, and a deadline of seconds needs no finer measure.
pub(super) const DEADLINE_TICK: Duration = Duration::from_millis(100);

impl Sandbox {
    /// Starts an engine. Compiled code is kept in `cache_dir`, or not at all.
    pub fn new(cache_dir: Option<&Path>) -> Result<Self, Error> {
        Self::with(settings::engine()?, cache_dir)
    }

    /// One that compiles without optimisation and keeps nothing: other code for the same plugins.
    pub fn unoptimised() -> Result<Self, Error> {
        Self::with(settings::unoptimised()?, None)
    }

    fn with((engine, settings): (Engine, String), cache_dir: Option<&Path>) -> Result<Self, Error> {
        let cache = cache_dir.map(Cache::open).transpose()?;
        let ticker = start_ticker(&engine)?;
        Ok(Self(Arc::new(Inner { engine, settings, cache, compiler: Compiler::default(), _ticker: ticker })))
    }

    /// Compiles a plugin, or takes its code from the cache, and asks it what it is, under the same limits as any call.
    ///
    /// `digest` is the digest of `bytes`, as [`super::Store`] verified it.
    pub fn load(&self, digest: Digest, bytes: &[u8], limits: &Limits) -> Result<Plugin, LoadError> {
        self.load_watched(digest, bytes, limits, &mut |_| {})
    }

    /// The same, and tells how far compilation is where there is any.
    pub fn load_watched(
        &self,
        digest: Digest,
        bytes: &[u8],
        limits: &Limits,
        watch: &mut (dyn FnMut(Compiling) + Send),
    ) -> Result<Plugin, LoadError> {
        let (inspection, abi) = inspect(bytes)?;
        let component = self.compiled(digest, bytes, watch)?;
        let mut linker = Linker::new(&self.0.engine);
        abi.link(inspection.kind, &mut linker).map_err(invalid)?;
        if needs_wasi(&inspection.imports) {
            wasi::link(&mut linker).map_err(invalid)?;
        }
        let plugin = linker.instantiate_pre(&component).map_err(invalid)?;
        let core = Core { _sandbox: self.clone(), digest, abi, plugin, limits: Arc::new(limits.clone()) };
        Ok(match inspection.kind {
            Kind::Projection => Plugin::Projection(Arc::new(Projection::load(core)?)),
            Kind::Upcaster => Plugin::Upcaster(Arc::new(Upcaster::load(core)?)),
        })
    }

    fn compiled(
        &self,
        digest: Digest,
        bytes: &[u8],
        watch: &mut (dyn FnMut(Compiling) + Send),
    ) -> Result<Component, Refused> {
        let Inner { engine, settings, cache, compiler, .. } = &*self.0;
        let name = name_of(digest, engine, settings);
        if let Some(component) = cache.as_ref().and_then(|cache| cache.load(engine, name)) {
            return Ok(component);
        }
        bulk::check(bytes)?;
        let component = compiler.compile(engine, bytes, watch)?;
        if let Some(cache) = cache {
            cache.save(name, &component);
        }
        Ok(component)
    }
}

/// What wasmtime says of a component that it cannot compile or link.
pub(super) fn invalid(error: wasmtime::Error) -> Refused {
    Refused::Invalid { message: brief(&format!("{error:#}")) }
}

impl Plugin {
    pub fn digest(&self) -> Digest {
        match self {
            Self::Projection(projection) => projection.digest(),
            Self::Upcaster(upcaster) => upcaster.digest(),
        }
    }

    /// The version of the ABI that it speaks.
    pub fn abi(&self) -> &'static str {
        match self {
            Self::Projection(projection) => projection.abi(),
            Self::Upcaster(upcaster) => upcaster.abi(),
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

/// Moves the engine's epoch on until the sender is dropped.
fn start_ticker(engine: &Engine) -> Result<Sender<()>, Error> {
    let (sender, receiver) = channel::<()>();
    let engine = engine.clone();
    let tick = move || {
        while receiver.recv_timeout(DEADLINE_TICK) == Err(RecvTimeoutError::Timeout) {
            engine.increment_epoch();
        }
    };
    let started = std::thread::Builder::new().name("plugin-deadlines".into()).spawn(tick);
    started.map_err(|error| Error::Engine(format!("no thread for deadlines: {error}")))?;
    Ok(sender)
}
