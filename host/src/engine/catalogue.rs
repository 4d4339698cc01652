//! What is installed and what runs: one small JSON file, replaced as a whole by each change.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::{Deployment, Error};
use crate::event::Digest;

const FORMAT: u32 = 1;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    Projection,
    Upcaster,
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
}

impl FaultPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::Skip => "skip",
        }
    }
}

/// A projection: what it runs, which state serves, and which is being built beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    pub name: String,
    /// What serves; absent until the first build has caught up.
    pub serving: Option<Deployment>,
    /// What is being built and will serve when it has caught up.
    pub building: Option<Deployment>,
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
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    content: Mutex<Content>,
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
        Ok(Self { path: path.to_owned(), content: Mutex::new(content) })
    }

    /// A copy of all that the catalogue says.
    pub(super) fn content(&self) -> Content {
        self.content.lock().expect("no thread panics while it holds the catalogue").clone()
    }

    pub(super) fn projection(&self, name: &str) -> Result<Projection, Error> {
        let content = self.content.lock().expect("no thread panics while it holds the catalogue");
        content.projections.get(name).cloned().ok_or_else(|| Error::UnknownProjection(name.to_owned()))
    }

    /// Changes the catalogue; durable on return. Nothing changes if `change` fails or the file cannot be written.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Content) -> Result<T, Error>) -> Result<T, Error> {
        let mut content = self.content.lock().expect("no thread panics while it holds the catalogue");
        let mut changed = content.clone();
        let result = change(&mut changed)?;
        write(&self.path, &changed).map_err(Error::file(&self.path))?;
        *content = changed;
        Ok(result)
    }

    /// Lets what was built serve. Nothing happens if something else is being built by now.
    pub(super) fn promote(&self, name: &str, identity: Digest) -> Result<(), Error> {
        self.change(|content| {
            if let Some(projection) = content.projections.get_mut(name)
                && projection.building.as_ref().is_some_and(|building| building.identity() == identity)
            {
                projection.serving = projection.building.take();
            }
            Ok(())
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Content, String> {
    let content: Content = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if content.format != FORMAT {
        return Err(format!("written in format {}, this version knows format {FORMAT}", content.format));
    }
    let deployments = content.projections.values().flat_map(|projection| [&projection.serving, &projection.building]);
    let in_deployments = deployments.flatten().flat_map(Deployment::digests);
    let digests = content.plugins.iter().map(|plugin| plugin.digest.as_str()).chain(in_deployments);
    for digest in digests {
        digest.parse::<Digest>().map_err(|error| error.to_string())?;
    }
    if let Some(name) = content.projections.iter().find(|(_, p)| p.serving.is_none() && p.building.is_none()) {
        return Err(format!("projection {:?} has no deployment", name.0));
    }
    Ok(content)
}

/// Writes a new file and renames it over the old one, so that a crash leaves one of the two.
fn write(path: &Path, content: &Content) -> std::io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(&serde_json::to_vec_pretty(content)?)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

/// Makes a rename durable.
pub(super) fn sync_parent(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path.parent().expect("files of a data directory have a parent"))?.sync_all()
}
