//! Plugins of a data directory: installing, naming, loading and removing them.

use std::sync::Arc;

use super::catalogue::{Content, Source};
use super::trust::refuse;
use super::{Chains, Deployment, Engine, Error, InstalledPlugin, PluginKind, PluginSignature, Standing, upgrade};
use crate::event::{Digest, Timestamp};
use crate::plugin::{self, Compiling, Limits, Plugin, Projection, Upcaster};

/// What an installation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub plugin: InstalledPlugin,
    /// Whether the very same plugin was there and in force before.
    pub known: bool,
    /// The projections whose events it changes; they are built anew.
    pub rebuilt: Vec<String>,
}

/// A plugin that is to be installed, with all that came with it.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The file as it was handed over: that is what a signature is of.
    pub bytes: &'a [u8],
    /// A minisign signature's text.
    pub signature: Option<&'a str>,
    pub source: Option<Source>,
    /// Refuse it unless a trusted publisher signed it, even where this host takes others.
    pub require_signature: bool,
    /// When the signature is checked.
    pub now: Timestamp,
}

impl<'a> Offer<'a> {
    /// A file that nothing came with.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, signature: None, source: None, require_signature: false, now: Timestamp::EPOCH }
    }
}

impl Engine {
    /// Checks a plugin, stores it and, if it is an upcaster, puts it in force. What is stored, and has the digest, is a
    /// component: a core module is wrapped first.
    ///
    /// # Errors
    /// Whatever makes it unfit: its file, its imports, its manifest, or steps that do not fit those of others.
    pub fn install(&self, bytes: &[u8]) -> Result<Installed, Error> {
        self.install_offered(&Offer::of(bytes), &mut |_| {})
    }

    /// The same with what came with the file; tells how far compilation is. Where a signature is required, nothing of a
    /// plugin without one is compiled or run.
    ///
    /// # Errors
    /// Beside the above: if its signature does not hold, or is required and not that of a trusted publisher.
    pub fn install_offered(
        &self,
        offer: &Offer<'_>,
        watch: &mut (dyn FnMut(Compiling) + Send),
    ) -> Result<Installed, Error> {
        let signature = offer.signature.map(|text| self.trust.examine(offer.bytes, text, offer.now)).transpose()?;
        if offer.require_signature || self.trust.is_required() {
            refuse("the plugin", self.trust.standing(None, signature.as_ref()), signature.as_ref())?;
        }
        let bytes = &*plugin::component(offer.bytes)?;
        // Before it is compiled. A core module may have become too large just now.
        plugin::Store::check_size(bytes)?;
        let digest = Digest::of(bytes);
        let plugin = self.sandbox.load_watched(digest, bytes, &self.usual_limits(), watch)?;
        let entry = describe(digest, bytes.len() as u64, &plugin);
        let signature = signature.map(|signature| self.trust.attributed(&entry.name, signature));
        let entry = self.with_origin(entry, signature, offer.source.clone());
        self.admit(&entry, offer.require_signature)?;
        self.plugins.put(bytes)?;
        self.loaded.lock().expect("no thread panics while it holds the plugins").insert(digest, plugin);
        let present = self.hub.catalogue.content().present();
        let in_force = in_force(&present, &entry.name).filter(|found| found.digest == entry.digest);
        let known = in_force.is_some();
        if known {
            if in_force != Some(&entry) {
                self.hub.catalogue.change(|content| {
                    content.plugins.iter_mut().filter(|plugin| plugin.digest == entry.digest).for_each(|plugin| {
                        plugin.clone_from(&entry);
                    });
                    Ok(())
                })?;
            }
            self.start_sync_of(&entry)?;
            return Ok(Installed { plugin: entry, known, rebuilt: Vec::new() });
        }
        let touched = self.hub.catalogue.change(|content| {
            // Its place is the last: the newest of a name is the one in force.
            content.plugins.retain(|plugin| plugin.digest != entry.digest);
            content.plugins.push(entry.clone());
            self.put_in_force(content)
        })?;
        Ok(Installed { plugin: entry, known, rebuilt: self.restart(touched)? })
    }

    /// Adds where a plugin comes from: what is known anew, or else what was known of the same component before.
    fn with_origin(
        &self,
        entry: InstalledPlugin,
        signature: Option<PluginSignature>,
        source: Option<Source>,
    ) -> InstalledPlugin {
        let content = self.hub.catalogue.content();
        let known = content.plugins.iter().find(|plugin| plugin.digest == entry.digest);
        let known_signature = known.and_then(|known| known.signature.clone());
        let is_verified = |signature: &PluginSignature| signature.signer.is_some();
        // A claim does not take the place of what was verified.
        let signature = match (signature, known_signature) {
            (Some(new), Some(known)) if is_verified(&known) && !is_verified(&new) => Some(known),
            (new, known) => new.or(known),
        };
        let source = source.or_else(|| known.and_then(|known| known.source.clone()));
        InstalledPlugin { signature, source, ..entry }
    }

    /// Starts sync projections that could not run without that plugin, whose file was missing.
    fn start_sync_of(&self, plugin: &InstalledPlugin) -> Result<(), Error> {
        let needs = |deployment: &Deployment| deployment.digests().any(|digest| digest == plugin.digest);
        let projections = self.projections().into_iter();
        let mut stopped = projections.filter(|projection| projection.sync && projection.deployments().any(needs));
        stopped.try_for_each(|projection| self.start(&projection.name))
    }

    /// All installed plugins, in the order of installation.
    pub fn installed_plugins(&self) -> Vec<InstalledPlugin> {
        self.hub.catalogue.content().present()
    }

    /// Finds a plugin by name, `name@version`, or the first digits of its digest (at least 6).
    pub fn find_plugin(&self, reference: &str) -> Result<InstalledPlugin, Error> {
        let plugins = self.hub.catalogue.content().present();
        let by_name = plugins
            .iter()
            .rev()
            .find(|plugin| plugin.name == reference || format!("{}@{}", plugin.name, plugin.version) == reference);
        if let Some(plugin) = by_name {
            return Ok(plugin.clone());
        }
        let is_prefix = reference.len() >= 6;
        let mut by_digest = plugins.iter().filter(|plugin| is_prefix && plugin.digest.starts_with(reference));
        let first = by_digest.next().ok_or_else(|| Error::UnknownPlugin(reference.to_owned()))?;
        let others: Vec<_> = by_digest.map(|plugin| plugin.digest.as_str()).collect();
        if !others.is_empty() {
            let candidates = format!("{}, {}", first.digest, others.join(", "));
            return Err(Error::AmbiguousPlugin { reference: reference.to_owned(), candidates });
        }
        Ok(first.clone())
    }

    /// What a plugin says of itself, from its file.
    pub fn load_plugin(&self, digest: Digest) -> Result<Plugin, Error> {
        self.load_with(digest, &Limits::default())
    }

    /// Loads a component that need not be installed, to ask it what it is. That runs it, so it is refused where a
    /// signature is required.
    pub fn examine(&self, bytes: &[u8]) -> Result<Plugin, Error> {
        if self.trust.is_required() {
            refuse("the plugin", Standing::Unsigned, None)?;
        }
        let bytes = plugin::component(bytes)?;
        Ok(self.sandbox.load(Digest::of(&bytes), &bytes, &Limits::default())?)
    }

    /// The bytes of an installed plugin.
    pub fn plugin_bytes(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        Ok(self.plugins.read(digest)?)
    }

    /// Removes a plugin that no projection runs. Projections that an upcaster touched are built anew; returns which. What
    /// was made with it goes on with it until the new states serve.
    pub fn remove_plugin(&self, reference: &str) -> Result<(InstalledPlugin, Vec<String>), Error> {
        let plugin = self.find_plugin(reference)?;
        let touched = self.hub.catalogue.change(|content| {
            let uses = |projection: &&super::Projection| {
                projection.deployments().any(|deployment| deployment.plugin == plugin.digest)
            };
            if let Some(projection) = content.projections.values().find(uses) {
                let (plugin, projection) = (plugin.name.clone(), projection.name.clone());
                return Err(Error::PluginInUse { plugin, projection });
            }
            let removed = content.plugins.iter_mut().filter(|other| other.digest == plugin.digest);
            removed.for_each(|other| other.removed = true);
            self.put_in_force(content)
        })?;
        let rebuilt = self.restart(touched)?;
        self.purge()?;
        Ok((plugin, rebuilt))
    }

    /// Deletes the files of removed plugins that no state needs any more.
    pub(super) fn purge(&self) -> Result<(), Error> {
        if self.hub.catalogue.content().plugins.iter().all(|plugin| !plugin.removed) {
            return Ok(());
        }
        for digest in self.hub.catalogue.change(|content| Ok(content.purge()))? {
            self.loaded.lock().expect("no thread panics while it holds the plugins").remove(&digest);
            self.plugins.remove(digest)?;
        }
        Ok(())
    }

    /// The chains of all upcasters in force.
    pub fn chains(&self) -> Result<Arc<Chains>, Error> {
        let plugins = self.hub.catalogue.content().present();
        let upcasters = plugins.iter().filter(|plugin| plugin.kind == PluginKind::Upcaster);
        let mut in_force = upcasters.filter(|plugin| is_in_force(&plugins, plugin));
        in_force.try_for_each(|plugin| self.admit(plugin, false))?;
        self.chains_of(&plugins)
    }

    pub(super) fn chains_of(&self, plugins: &[InstalledPlugin]) -> Result<Arc<Chains>, Error> {
        self.chains_under(plugins, &Limits::default())
    }

    /// The same with other limits than the usual ones.
    pub(super) fn chains_under(&self, plugins: &[InstalledPlugin], limits: &Limits) -> Result<Arc<Chains>, Error> {
        let mut upcasters = Vec::new();
        for plugin in plugins {
            let is_upcaster = plugin.kind == PluginKind::Upcaster;
            if is_upcaster && is_in_force(plugins, plugin) {
                upcasters.push(self.upcaster_under(plugin, limits)?);
            }
        }
        Ok(Arc::new(Chains::compose(&upcasters)?))
    }

    pub(super) fn projection_plugin(&self, digest: Digest, limits: &Limits) -> Result<Arc<Projection>, Error> {
        match self.load_with(digest, limits)? {
            Plugin::Projection(projection) => Ok(projection),
            Plugin::Upcaster(upcaster) => Err(Error::WrongKind {
                name: upcaster.manifest().name.to_string(),
                found: PluginKind::Upcaster.phrase(),
                wanted: PluginKind::Projection.phrase(),
            }),
        }
    }

    pub(super) fn upcaster(&self, plugin: &InstalledPlugin) -> Result<Arc<Upcaster>, Error> {
        self.upcaster_under(plugin, &Limits::default())
    }

    fn upcaster_under(&self, plugin: &InstalledPlugin, limits: &Limits) -> Result<Arc<Upcaster>, Error> {
        match self.load_with(plugin.digest(), limits)? {
            Plugin::Upcaster(upcaster) => Ok(upcaster),
            Plugin::Projection(_) => Err(Error::WrongKind {
                name: plugin.name.clone(),
                found: PluginKind::Projection.phrase(),
                wanted: PluginKind::Upcaster.phrase(),
            }),
        }
    }

    fn usual_limits(&self) -> Limits {
        Limits { deadline: self.call_deadline, ..Limits::default() }
    }

    /// Loaded plugins under the default limits are kept: each command that reads upcast events needs them again.
    fn load_with(&self, digest: Digest, limits: &Limits) -> Result<Plugin, Error> {
        let is_default = *limits == Limits::default();
        let loaded = || self.loaded.lock().expect("no thread panics while it holds the plugins");
        if let (true, Some(plugin)) = (is_default, loaded().get(&digest)) {
            return Ok(plugin.clone());
        }
        // Not under the lock: compiling takes seconds, and others want theirs.
        let limits = Limits { deadline: self.call_deadline, ..limits.clone() };
        let plugin = self.sandbox.load(digest, &self.plugins.read(digest)?, &limits)?;
        if is_default {
            loaded().insert(digest, plugin.clone());
        }
        Ok(plugin)
    }

    /// Makes the plugins of `content` those in force, and lets every projection that they touch be built anew.
    /// Returns which, and what they build no longer.
    fn put_in_force(&self, content: &mut Content) -> Result<Vec<Touched>, Error> {
        let chains = self.chains_of(&content.present())?;
        let mut touched = Vec::new();
        for projection in content.projections.values_mut() {
            let wanted = projection.wanted().clone();
            let deployment = self.deploy(&wanted, &chains)?;
            if deployment != wanted {
                // What waits to be promoted goes on waiting.
                let auto_promote = projection.building.is_none() || projection.auto_promote;
                let dropped = match projection.serving.as_ref() == Some(&deployment) {
                    true => projection.building.take(),
                    false => upgrade::build(projection, deployment, auto_promote),
                };
                touched.push(Touched { name: projection.name.clone(), dropped });
            }
        }
        Ok(touched)
    }

    /// Lets the projections run what they were changed to. Returns their names.
    fn restart(&self, touched: Vec<Touched>) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for Touched { name, dropped } in touched {
            self.hub.forget(&name, dropped);
            self.restart_if_running(&name)?;
            names.push(name);
        }
        Ok(names)
    }
}

/// A projection that other events reach now.
struct Touched {
    name: String,
    dropped: Option<Deployment>,
}

/// Of all plugins with a name, the one that was installed last.
fn in_force<'a>(plugins: &'a [InstalledPlugin], name: &str) -> Option<&'a InstalledPlugin> {
    plugins.iter().rev().find(|plugin| plugin.name == name)
}

fn is_in_force(plugins: &[InstalledPlugin], plugin: &InstalledPlugin) -> bool {
    in_force(plugins, &plugin.name).is_some_and(|found| found.digest == plugin.digest)
}

fn describe(digest: Digest, bytes: u64, plugin: &Plugin) -> InstalledPlugin {
    let (kind, name, version, description) = match plugin {
        Plugin::Projection(projection) => {
            let manifest = projection.manifest();
            (PluginKind::Projection, &manifest.name, &manifest.version, &manifest.description)
        }
        Plugin::Upcaster(upcaster) => {
            let manifest = upcaster.manifest();
            (PluginKind::Upcaster, &manifest.name, &manifest.version, &manifest.description)
        }
    };
    InstalledPlugin {
        digest: digest.to_string(),
        kind,
        name: name.to_string(),
        version: version.clone(),
        description: description.clone(),
        abi: plugin.abi().to_owned(),
        bytes,
        signature: None,
        source: None,
        removed: false,
    }
}
