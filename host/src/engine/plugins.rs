//! Plugins of a data directory: installing, naming, loading and removing them.

use std::sync::Arc;

use super::catalogue::Content;
use super::{Chains, Deployment, Engine, Error, InstalledPlugin, PluginKind, upgrade};
use crate::event::Digest;
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

impl Engine {
    /// Checks a plugin, stores it and, if it is an upcaster, puts it in force. What is stored, and has the digest, is a
    /// component: a core module is wrapped first.
    ///
    /// # Errors
    /// Whatever makes it unfit: its file, its imports, its manifest, or steps that do not fit those of others.
    pub fn install(&self, bytes: &[u8]) -> Result<Installed, Error> {
        self.install_watched(bytes, &mut |_| {})
    }

    /// The same, and tells how far compilation is.
    pub fn install_watched(&self, bytes: &[u8], watch: &mut (dyn FnMut(Compiling) + Send)) -> Result<Installed, Error> {
        let bytes = &*plugin::component(bytes)?;
        // Before it is compiled. A core module may have become too large just now.
        plugin::Store::check_size(bytes)?;
        let digest = Digest::of(bytes);
        let plugin = self.sandbox.load_watched(digest, bytes, &self.usual_limits(), watch)?;
        let entry = describe(digest, bytes.len() as u64, &plugin);
        self.plugins.put(bytes)?;
        self.loaded.lock().expect("no thread panics while it holds the plugins").insert(digest, plugin);
        let known = in_force(&self.hub.catalogue.content().present(), &entry.name).is_some_and(|found| *found == entry);
        if known {
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

    /// Loads a component that need not be installed, to ask it what it is.
    pub fn examine(&self, bytes: &[u8]) -> Result<Plugin, Error> {
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
        self.chains_of(&self.hub.catalogue.content().present())
    }

    pub(super) fn chains_of(&self, plugins: &[InstalledPlugin]) -> Result<Arc<Chains>, Error> {
        self.chains_under(plugins, &Limits::default())
    }

    /// The same with other limits than the usual ones.
    pub(super) fn chains_under(&self, plugins: &[InstalledPlugin], limits: &Limits) -> Result<Arc<Chains>, Error> {
        let mut upcasters = Vec::new();
        for plugin in plugins {
            let is_upcaster = plugin.kind == PluginKind::Upcaster;
            if is_upcaster && in_force(plugins, &plugin.name).is_some_and(|found| found.digest == plugin.digest) {
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
        removed: false,
    }
}
