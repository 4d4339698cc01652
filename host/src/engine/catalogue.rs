//! What is installed and what runs: one small JSON file, replaced as a whole by each change.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use serde::{Deserialize, Serialize};

use super::{Deployment, DroppedPolicy, Error, Keep, PluginSignature, Quota, sealed};
use crate::event::Digest;

const FORMAT: u32 = 1;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    Projection,
    Upcaster,
}

impl From<crate::plugin::Kind> for PluginKind {
    fn from(kind: crate::plugin::Kind) -> Self {
        match kind {
            crate::plugin::Kind::Projection => Self::Projection,
            crate::plugin::Kind::Upcaster => Self::Upcaster,
        }
    }
}

impl PluginKind {
    /// With its article, for messages.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Projection => "a projection",
            Self::Upcaster => "an upcaster",
        }
    }
}

/// A plugin in the store, under the name and version that it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPlugin {
    pub digest: String,
    pub kind: PluginKind,
    pub name: String,
    pub version: String,
    pub description: String,
    pub abi: String,
    pub bytes: u64,
    /// What its signature was found to be; none if it came without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<PluginSignature>,
    /// Where it was got from; none if it came as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// An upcaster that was removed, but is kept for the states that were made with it until they are gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) removed: bool,
}

/// Where a plugin was got from, as whoever installed it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `oci://HOST/REPOSITORY:TAG`.
    pub reference: String,
    /// What the reference stood for then: the digest of its manifest.
    pub digest: String,
}

impl InstalledPlugin {
    pub fn digest(&self) -> Digest {
        self.digest.parse().expect("the catalogue checks digests when it is opened")
    }
}

/// What happens when a plugin fails on an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPolicy {
    /// Stop before the event and keep serving what is there.
    #[default]
    Halt,
    /// Record the fault and go on with the next event.
    Skip,
    /// Record the fault, set aside the event and all later ones of its stream, and go on with all other streams.
    Quarantine,
}

impl FaultPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::Skip => "skip",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A projection: what it runs, which state serves, which is being built beside it, and which served before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    pub name: String,
    /// Applied inside the append, so that a reader sees its own write.
    #[serde(default)]
    pub sync: bool,
    /// What serves; absent until the first build has caught up.
    pub serving: Option<Deployment>,
    /// What is being built, or built and waiting to be promoted.
    pub building: Option<Deployment>,
    /// Whether what is being built serves as soon as it has caught up.
    #[serde(default = "always")]
    pub auto_promote: bool,
    /// What served before; it goes on following, so that a rollback is a matter of a name.
    #[serde(default)]
    pub previous: Option<Deployment>,
    /// What served before and has no state any more, the latest last: with it the state as of any event is made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<Deployment>,
    /// What it does about events whose payloads a retention policy let go.
    #[serde(default, skip_serializing_if = "DroppedPolicy::is_usual")]
    pub dropped: DroppedPolicy,
    /// What it keeps of its past; never decides what a state holds.
    #[serde(default, skip_serializing_if = "Keep::is_usual")]
    pub keep: Keep,
    /// What it may use; never decides what a state holds.
    #[serde(default, skip_serializing_if = "Quota::is_unlimited")]
    pub quota: Quota,
}

/// Before there was a choice, everything that was built took over by itself.
fn always() -> bool {
    true
}

impl Projection {
    /// What the projection should run: the newer deployment.
    pub fn wanted(&self) -> &Deployment {
        self.building.as_ref().or(self.serving.as_ref()).expect("a projection has at least one deployment")
    }

    /// What answers readers: the serving deployment, or the first one while it is built.
    pub fn readable(&self) -> &Deployment {
        self.serving.as_ref().or(self.building.as_ref()).expect("a projection has at least one deployment")
    }

    /// 16 of them: each keeps its plugin's file from being removed.
    pub const RAN_MAX: usize = 16;

    /// Everything whose state can be made, the latest first: what it runs, and what served before.
    pub fn recipes(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments().chain(self.ran_before())
    }

    /// What served before and is not run now, the latest first.
    pub fn ran_before(&self) -> impl Iterator<Item = &Deployment> {
        self.ran.iter().rev().filter(|ran| self.deployments().all(|running| running != *ran))
    }

    /// Notes what has served and neither serves nor is the previous one any more. That it is built again changes nothing:
    /// it may be dropped before it serves again.
    fn remember(&mut self, before: &Self) {
        let ready: Vec<Deployment> = [&self.previous, &self.serving].into_iter().flatten().cloned().collect();
        for served in [&before.previous, &before.serving].into_iter().flatten() {
            self.ran.retain(|ran| ran != served);
            self.ran.push(served.clone());
        }
        self.ran.retain(|ran| !ready.contains(ran));
        self.ran.drain(..self.ran.len().saturating_sub(Self::RAN_MAX));
    }

    /// Everything that it runs.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        [&self.serving, &self.building, &self.previous].into_iter().flatten()
    }

    /// Lets one of its other deployments serve; what served is then the previous one. Returns what is kept no longer.
    pub(super) fn switch_to(&mut self, identity: Digest) -> Option<Deployment> {
        let is =
            |deployment: &Option<Deployment>| deployment.as_ref().is_some_and(|found| found.identity() == identity);
        if is(&self.building) {
            let served = std::mem::replace(&mut self.serving, self.building.take());
            let dropped = if served.is_some() { std::mem::replace(&mut self.previous, served) } else { None };
            return dropped.filter(|dropped| self.deployments().all(|kept| kept != dropped));
        }
        if is(&self.previous) {
            std::mem::swap(&mut self.serving, &mut self.previous);
        }
        None
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
// Because of the checksum; see sealed.rs.
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    format: u32,
    /// In the order of installation: of two with the same name, the later one is meant.
    pub(super) plugins: Vec<InstalledPlugin>,
    pub(super) projections: BTreeMap<String, Projection>,
}

/// The catalogue's file and what it says.
#[derive(Debug)]
pub(super) struct Catalogue {
    path: PathBuf,
    /// One change at a time. Some take long, because they compile plugins: readers never wait for this lock.
    changing: Mutex<()>,
    content: Arc<RwLock<Arc<Content>>>,
}

impl Catalogue {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let content = match std::fs::read(path) {
            Ok(bytes) => parse(&bytes).map_err(|problem| Error::Catalogue { path: path.to_owned(), problem })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Content { format: FORMAT, ..Content::default() }
            }
            Err(source) => return Err(Error::File { path: path.to_owned(), source }),
        };
        let content = Arc::new(RwLock::new(Arc::new(content)));
        Ok(Self { path: path.to_owned(), changing: Mutex::default(), content })
    }

    /// All that the catalogue says now.
    pub(super) fn content(&self) -> Arc<Content> {
        Arc::clone(&self.content.read().expect("no thread panics while it holds the catalogue"))
    }

    pub(super) fn projection(&self, name: &str) -> Result<Projection, Error> {
        self.content().projection(name).cloned()
    }

    /// Changes the catalogue; durable on return. Nothing changes if `change` fails or the file cannot be written.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Content) -> Result<T, Error>) -> Result<T, Error> {
        self.change_when(change, |show| {
            show();
            Ok(())
        })
    }

    /// The same, but readers see it when `when` calls what it is given: that is for changes that must come between two
    /// appends, on the writer's thread, which writes no file for it.
    pub(super) fn change_when<T>(
        &self,
        change: impl FnOnce(&mut Content) -> Result<T, Error>,
        when: impl FnOnce(Box<dyn FnOnce() + Send>) -> Result<(), Error>,
    ) -> Result<T, Error> {
        // A change that panicked changed nothing.
        let _changing = self.changing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut changed = Content::clone(&self.content());
        let result = change(&mut changed)?;
        for (name, before) in &self.content().projections {
            if let Some(projection) = changed.projections.get_mut(name) {
                projection.remember(before);
            }
        }
        write(&self.path, &changed).map_err(Error::file(&self.path))?;
        let content = Arc::clone(&self.content);
        let show = move || {
            *content.write().expect("no thread panics while it holds the catalogue") = Arc::new(changed);
        };
        when(Box::new(show))?;
        Ok(result)
    }
}

impl Content {
    /// The plugins that users see, in the order of installation.
    pub(super) fn present(&self) -> Vec<InstalledPlugin> {
        self.plugins.iter().filter(|plugin| !plugin.removed).cloned().collect()
    }

    /// Takes out the removed plugins that no state needs any more.
    pub(super) fn purge(&mut self) -> Vec<Digest> {
        let needed: Vec<String> = self
            .projections
            .values()
            .flat_map(Projection::recipes)
            .flat_map(Deployment::digests)
            .map(str::to_owned)
            .collect();
        let is_over = |plugin: &InstalledPlugin| plugin.removed && !needed.contains(&plugin.digest);
        self.plugins.extract_if(.., |plugin| is_over(plugin)).map(|plugin| plugin.digest()).collect()
    }

    pub(super) fn projection(&self, name: &str) -> Result<&Projection, Error> {
        self.projections.get(name).ok_or_else(|| Error::UnknownProjection(name.to_owned()))
    }

    pub(super) fn projection_mut(&mut self, name: &str) -> Result<&mut Projection, Error> {
        self.projections.get_mut(name).ok_or_else(|| Error::UnknownProjection(name.to_owned()))
    }
}

fn parse(bytes: &[u8]) -> Result<Content, String> {
    let value = sealed::unseal(bytes)?;
    if let Some(format) = value.get("format").filter(|format| **format != FORMAT) {
        return Err(format!("written in format {format}, this version knows format {FORMAT}"));
    }
    let content: Content = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let in_deployments = content.projections.values().flat_map(Projection::recipes).flat_map(Deployment::digests);
    let digests = content.plugins.iter().map(|plugin| plugin.digest.as_str()).chain(in_deployments);
    for digest in digests {
        digest.parse::<Digest>().map_err(|error| error.to_string())?;
    }
    for (name, projection) in &content.projections {
        if let Some(number) = projection.recipes().find_map(|deployment| deployment.prices().err()) {
            return Err(format!(
                "projection {name:?} runs under schedule {number} of host call prices, which this version does not have; \
                 use the newer version that wrote it"
            ));
        }
    }
    if let Some(name) = content.projections.iter().find(|(_, p)| p.serving.is_none() && p.building.is_none()) {
        return Err(format!("projection {:?} has no deployment", name.0));
    }
    Ok(content)
}

/// A catalogue that comes back from a backup: as it is to be written, and the states that it knows.
pub(super) struct Returning {
    pub(super) text: Vec<u8>,
    pub(super) states: Vec<(String, Digest)>,
}

impl Returning {
    /// # Errors
    /// Says why it is no catalogue.
    pub(super) fn of(text: &[u8]) -> Result<Self, String> {
        let content = parse(text)?;
        let projections = content.projections.values();
        let states = projections.flat_map(|it| it.deployments().map(|found| (it.name.clone(), found.identity())));
        let states = states.collect();
        Ok(Self { text: sealed::seal(&content).map_err(|error| error.to_string())?, states })
    }
}

/// Writes a new file and renames it over the old one, so that a crash leaves one of the two.
fn write(path: &Path, content: &Content) -> std::io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(&sealed::seal(content)?)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

/// Makes a rename durable.
pub(super) fn sync_parent(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path.parent().expect("files of a data directory have a parent"))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As releases before the checksum wrote it.
    const V1: &str = r#"{
  "format": 1,
  "plugins": [],
  "projections": {
    "p": {
      "name": "p",
      "serving": {
        "plugin": "a7c0901b7b73914609a262c56ae6fe0d0d4ea3569a7b8c0033600f4e04a7f0e4",
        "abi": "0.1.0",
        "upcasters": [],
        "parameters": "{}",
        "fuel_per_event": 1000000000,
        "memory_bytes": 268435456,
        "limits": [],
        "on_fault": "halt"
      },
      "building": null
    }
  }
}"#;

    fn change(catalogue: &Catalogue) {
        let changed = catalogue.change(|content| {
            content.projection_mut("p")?.sync = true;
            Ok(())
        });
        changed.unwrap();
    }

    #[test]
    fn a_catalogue_without_a_checksum_opens_and_gets_one_with_its_next_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.json");
        std::fs::write(&path, V1).unwrap();
        let catalogue = Catalogue::open(&path).unwrap();
        let identity = catalogue.projection("p").unwrap().wanted().identity();
        change(&catalogue);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"checksum\""), "{text}");
        let reopened = Catalogue::open(&path).unwrap().projection("p").unwrap();
        assert!(reopened.sync && reopened.wanted().identity() == identity);
    }

    #[test]
    fn what_does_not_fit_the_checksum_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.json");
        std::fs::write(&path, V1).unwrap();
        change(&Catalogue::open(&path).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("1000000000", "1000000001")).unwrap();
        let error = Catalogue::open(&path).unwrap_err().to_string();
        assert!(error.contains("catalogue.json: it is damaged or was changed by hand"), "{error}");
        assert!(error.contains("restore the file from a copy"), "{error}");
        std::fs::write(&path, text.replace("checksum", "checksun")).unwrap();
        let error = Catalogue::open(&path).unwrap_err().to_string();
        assert!(error.contains("unknown field `checksun`"), "{error}");
    }
}
