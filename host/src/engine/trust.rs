//! Whom to trust: the publishers in `trust.toml`, and whether only what they signed may be installed and run.
//!
//! ```toml
//! require_signature = true
//!
//! [[publisher]]
//! name = "acme"
//! key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
//! until = "2027-01-01T00:00:00Z"
//! plugins = ["on-time"]
//! ```

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};

use super::catalogue::sync_parent;
use super::signature::{Detached, Key, KeyId, SignatureError};
use super::{Deployment, Engine, Error, InstalledPlugin, SmallFileError, read_small};
use crate::event::{Digest, PluginName, Timestamp};

/// A person reads them all.
const PUBLISHERS_MAX: usize = 1_000;
const NAME_BYTES_MAX: usize = 64;
const COMMENT_BYTES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Somebody whose plugins are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    pub name: String,
    /// A minisign public key, as minisign prints it.
    pub key: String,
    /// Signatures that are checked later do not count: an RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The only plugins for which the key counts; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What a plugin's signature was found to be when it was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginSignature {
    /// The key that the signature names.
    pub key_id: String,
    /// Whose key verified it; none if no key of that id was known, and then the id is a mere claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
}

/// Whose key verified a plugin's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    pub name: String,
    /// The whole key, since whoever makes a key chooses its id.
    pub key: String,
    pub trusted_comment: String,
    pub verified_at: String,
}

/// What a plugin's signature is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Unsigned,
    UnknownKey,
    Trusted,
    /// The signer is trusted for other plugins only.
    OtherPlugin,
    /// The signature was checked after the signer's time.
    Expired,
    /// The signer was trusted when it was checked, and is not any more.
    NoLongerTrusted,
}

/// The trust file of a data directory, as it was when the directory was opened, with what was changed since.
#[derive(Debug)]
pub(super) struct Trust {
    path: PathBuf,
    /// Whether a signature is required whatever the file says.
    is_forced: bool,
    said: RwLock<Said>,
}

/// What the trust file says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    require_signature: bool,
    #[serde(default, rename = "publisher", skip_serializing_if = "Vec::is_empty")]
    publishers: Vec<Publisher>,
}

impl Trust {
    /// Reads the file; nobody is trusted, and nothing required, where there is none.
    ///
    /// # Errors
    /// If it cannot be read or understood: a requirement must not get lost with a bracket.
    pub(super) fn open(path: &Path, is_forced: bool) -> Result<Self, Error> {
        let unusable = |why: String| Error::Trust { path: path.to_owned(), why };
        let said = match read_small(path, FILE_BYTES_MAX) {
            Ok(text) => parse(&text).map_err(unusable)?,
            Err(SmallFileError::Missing(_)) => Said::default(),
            Err(SmallFileError::Io(source)) => return Err(Error::File { path: path.to_owned(), source }),
            Err(error) => return Err(unusable(error.to_string())),
        };
        Ok(Self { path: path.to_owned(), is_forced, said: RwLock::new(said) })
    }

    pub(super) fn is_required(&self) -> bool {
        self.is_forced || self.said().require_signature
    }

    /// Checks the signature that came with a file, before anything else of the file is looked at.
    ///
    /// # Errors
    /// If it names a publisher's key and does not hold for these bytes.
    pub(super) fn examine(&self, bytes: &[u8], text: &str, now: Timestamp) -> Result<PluginSignature, SignatureError> {
        let detached = Detached::parse(text)?;
        let said = self.said();
        let keys = || said.publishers.iter().map(|publisher| (publisher, publisher.key()));
        let mut named = keys().filter(|(_, key)| key.id == detached.key).peekable();
        let first = named.peek().map(|(publisher, _)| publisher.name.clone());
        for (publisher, key) in named {
            if detached.holds(&key, bytes)? {
                let signer = Signer {
                    name: publisher.name.clone(),
                    key: publisher.key.clone(),
                    trusted_comment: detached.trusted_comment().to_owned(),
                    verified_at: now.to_string(),
                };
                return Ok(PluginSignature { key_id: detached.key.to_string(), signer: Some(signer) });
            }
        }
        match first {
            Some(publisher) => Err(SignatureError::Invalid { key: detached.key, publisher }),
            None => Ok(PluginSignature { key_id: detached.key.to_string(), signer: None }),
        }
    }

    /// The same signature, said to be of the publisher for whom it counts: a key can stand under several names in a file
    /// that was written by hand, each with bounds of its own.
    pub(super) fn attributed(&self, plugin: &str, signature: PluginSignature) -> PluginSignature {
        let Some(signer) = &signature.signer else { return signature };
        let said = self.said();
        let counts = |publisher: &&Publisher| {
            publisher.key == signer.key && publisher.is_for(plugin) && publisher.covers(&signer.verified_at)
        };
        match said.publishers.iter().find(counts) {
            Some(Publisher { name, .. }) => {
                let signer = Some(Signer { name: name.clone(), ..signer.clone() });
                PluginSignature { signer, ..signature }
            }
            None => signature,
        }
    }

    /// What a signature is worth now, for a plugin of that name; without a name, for the plugin that it is worth most for.
    pub(super) fn standing(&self, plugin: Option<&str>, signature: Option<&PluginSignature>) -> Standing {
        let Some(signature) = signature else { return Standing::Unsigned };
        let Some(signer) = &signature.signer else { return Standing::UnknownKey };
        let said = self.said();
        let mut worth = Standing::NoLongerTrusted;
        for publisher in said.publishers.iter().filter(|publisher| publisher.key == signer.key) {
            worth = match plugin {
                Some(plugin) if !publisher.is_for(plugin) => Standing::OtherPlugin,
                Some(_) | None if !publisher.covers(&signer.verified_at) => Standing::Expired,
                Some(_) | None => return Standing::Trusted,
            };
        }
        worth
    }

    fn said(&self) -> RwLockReadGuard<'_, Said> {
        self.said.read().expect("no thread panics while it holds the trust file")
    }

    /// Changes the file, then what is held: a failed write changes nothing.
    fn change<T>(&self, change: impl FnOnce(&mut Said) -> Result<T, Error>) -> Result<T, Error> {
        let mut said = self.said.write().expect("no thread panics while it holds the trust file");
        let mut changed = said.clone();
        let result = change(&mut changed)?;
        write(&self.path, &changed).map_err(Error::file(&self.path))?;
        *said = changed;
        Ok(result)
    }
}

impl Engine {
    /// All publishers that are trusted, in the order in which they were added.
    pub fn publishers(&self) -> Vec<Publisher> {
        self.trust.said().publishers.clone()
    }

    /// Whether only what a trusted publisher signed may be installed and run.
    pub fn requires_signature(&self) -> bool {
        self.trust.is_required()
    }

    /// Whether that is so whatever the trust file says.
    pub fn signature_is_forced(&self) -> bool {
        self.trust.is_forced
    }

    /// Trusts a publisher from now on; durable on return. A key has one name, so that what is removed counts no longer.
    pub fn trust(&self, publisher: Publisher, now: Timestamp) -> Result<(Publisher, KeyId), Error> {
        let key = Key::parse(&publisher.key).map_err(|why| Error::InvalidPublisher(why.to_string()))?;
        let publisher = Publisher { key: key.line().to_owned(), ..publisher };
        publisher.check().map_err(Error::InvalidPublisher)?;
        if let Some(until) = publisher.until.as_ref().filter(|_| !publisher.covers(&now.to_string())) {
            return Err(Error::InvalidPublisher(format!("until: {until} is over, so no signature would count")));
        }
        self.trust.change(|said| {
            if let Some(other) = said.publishers.iter().find(|other| other.name == publisher.name) {
                return Err(Error::PublisherExists(other.name.clone()));
            }
            if let Some(other) = said.publishers.iter().find(|other| other.key == publisher.key) {
                return Err(Error::KeyTrusted { other: other.name.clone(), key: key.id });
            }
            if said.publishers.len() >= PUBLISHERS_MAX {
                return Err(Error::InvalidPublisher("there are 1,000 publishers; remove some first".to_owned()));
            }
            said.publishers.push(publisher.clone());
            Ok(())
        })?;
        Ok((publisher, key.id))
    }

    /// Trusts a publisher no longer. What they signed stays installed, and says that its signer is no longer trusted.
    pub fn distrust(&self, name: &str) -> Result<Publisher, Error> {
        self.trust.change(|said| {
            let found = said.publishers.iter().position(|publisher| publisher.name == name);
            Ok(said.publishers.remove(found.ok_or_else(|| Error::UnknownPublisher(name.to_owned()))?))
        })
    }

    /// Sets whether only what a trusted publisher signed may be installed and run.
    pub fn require_signature(&self, is_required: bool) -> Result<(), Error> {
        self.trust.change(|said| {
            said.require_signature = is_required;
            Ok(())
        })
    }

    /// What a plugin's signature is worth now.
    pub fn standing(&self, plugin: &InstalledPlugin) -> Standing {
        self.trust.standing(Some(&plugin.name), plugin.signature.as_ref())
    }

    /// Refuses a plugin that is not signed as this host requires; `is_required` where only the caller does.
    pub(super) fn admit(&self, plugin: &InstalledPlugin, is_required: bool) -> Result<(), Error> {
        if !is_required && !self.trust.is_required() {
            return Ok(());
        }
        refuse(&format!("plugin {}@{}", plugin.name, plugin.version), self.standing(plugin), plugin.signature.as_ref())
    }

    /// Refuses to run a component that is not installed here with a signature as this host requires.
    pub(super) fn admit_digest(&self, digest: Digest) -> Result<(), Error> {
        if !self.trust.is_required() {
            return Ok(());
        }
        let (content, digest) = (self.hub.catalogue.content(), digest.to_string());
        match content.plugins.iter().find(|plugin| plugin.digest == digest) {
            Some(plugin) => self.admit(plugin, true),
            None => refuse(&format!("plugin {digest}"), Standing::Unsigned, None),
        }
    }

    /// Refuses to run what is not signed as this host requires.
    pub(super) fn admit_deployment(&self, deployment: &Deployment) -> Result<(), Error> {
        if !self.trust.is_required() {
            return Ok(());
        }
        let content = self.hub.catalogue.content();
        let runs = |plugin: &&InstalledPlugin| deployment.digests().any(|digest| digest == plugin.digest);
        content.plugins.iter().filter(runs).try_for_each(|plugin| self.admit(plugin, true))
    }
}

/// Refuses what is not trusted, and says why it is not.
pub(super) fn refuse(what: &str, standing: Standing, signature: Option<&PluginSignature>) -> Result<(), Error> {
    let signer = signature.and_then(|signature| signature.signer.as_ref()).map_or("", |signer| signer.name.as_str());
    let key = signature.map_or("", |signature| signature.key_id.as_str());
    let why = match standing {
        Standing::Trusted => return Ok(()),
        Standing::Unsigned => "is not signed".to_owned(),
        Standing::UnknownKey => format!("is signed by unknown key {key}"),
        Standing::OtherPlugin => format!("is signed by {signer:?}, who is not trusted for it"),
        Standing::Expired => format!("is signed by {signer:?}, who was not trusted any more when it was installed"),
        Standing::NoLongerTrusted => format!("is signed by {signer:?}, who is no longer trusted"),
    };
    Err(Error::Untrusted { what: what.to_owned(), why })
}

impl Publisher {
    fn key(&self) -> Key {
        Key::parse(&self.key).expect("keys are checked where they come from")
    }

    pub fn key_id(&self) -> KeyId {
        self.key().id
    }

    fn is_for(&self, plugin: &str) -> bool {
        self.plugins.is_empty() || self.plugins.iter().any(|name| name == plugin)
    }

    /// Whether a signature that was checked at that time counts.
    fn covers(&self, time: &str) -> bool {
        let Some(until) = &self.until else { return true };
        matches!((until.parse::<Timestamp>(), time.parse::<Timestamp>()), (Ok(until), Ok(time)) if time < until)
    }

    fn check(&self) -> Result<(), String> {
        let has_control = |text: &str| text.chars().any(char::is_control);
        if self.name.is_empty()
            || self.name.len() > NAME_BYTES_MAX
            || has_control(&self.name)
            || self.name.contains('/')
        {
            return Err("a publisher's name has 1 to 64 bytes, no / and no control characters".to_owned());
        }
        if self.comment.as_ref().is_some_and(|comment| comment.len() > COMMENT_BYTES_MAX || has_control(comment)) {
            return Err("a publisher's comment has 256 bytes at most and no control characters".to_owned());
        }
        if let Some(until) = &self.until {
            until.parse::<Timestamp>().map_err(|error| format!("until: {error}"))?;
        }
        for plugin in &self.plugins {
            PluginName::new(plugin).map_err(|error| format!("plugins: {error}"))?;
        }
        Key::parse(&self.key).map_err(|error| error.to_string()).map(drop)
    }
}

fn parse(text: &str) -> Result<Said, String> {
    let said: Said = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        let line = line.map_or_else(String::new, |line| format!("line {line}: "));
        format!("{line}{}", error.message())
    })?;
    for (index, publisher) in said.publishers.iter().enumerate() {
        publisher.check().map_err(|why| format!("publisher {:?}: {why}", publisher.name))?;
        if said.publishers[..index].iter().any(|other| other.name == publisher.name) {
            return Err(format!("there are two publishers named {:?}", publisher.name));
        }
    }
    Ok(said)
}

/// Replaces the file at once, so that no moment shows half of it.
fn write(path: &Path, said: &Said) -> std::io::Result<()> {
    let text = toml::to_string_pretty(said).map_err(std::io::Error::other)?;
    let beside = path.with_extension("toml.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}
