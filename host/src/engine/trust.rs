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

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};

use super::catalogue::sync_parent;
use super::signature::{Detached, Key, KeyId, SignatureError};
use super::{Deployment, Engine, Error, InstalledPlugin};
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
        let said = match std::fs::metadata(path) {
            Ok(file) if file.len() > FILE_BYTES_MAX => return Err(unusable("it is larger than 4 MiB".to_owned())),
            Ok(_) => parse(&std::fs::read_to_string(path).map_err(Error::file(path))?).map_err(unusable)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Said::default(),
            Err(source) => return Err(Error::File { path: path.to_owned(), source }),
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

    /// Trusts a publisher from now on; durable on return.
    pub fn trust(&self, publisher: Publisher) -> Result<(Publisher, KeyId), Error> {
        let key = Key::parse(&publisher.key).map_err(|why| Error::InvalidPublisher(why.to_string()))?;
        let publisher = Publisher { key: key.line().to_owned(), ..publisher };
        publisher.check().map_err(Error::InvalidPublisher)?;
        self.trust.change(|said| {
            if let Some(other) = said.publishers.iter().find(|other| other.name == publisher.name) {
                return Err(Error::PublisherExists(other.name.clone()));
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

#[cfg(test)]
mod tests {
    use super::super::signature::tests::Pair;
    use super::*;

    fn publisher(name: &str, pair: &Pair) -> Publisher {
        Publisher { name: name.to_owned(), key: pair.public(), until: None, plugins: Vec::new(), comment: None }
    }

    fn trust(publishers: Vec<Publisher>) -> Trust {
        let said = RwLock::new(Said { require_signature: false, publishers });
        Trust { path: PathBuf::new(), is_forced: false, said }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_signature_is_worth_what_its_signer_is_trusted_for() {
        let (pair, stranger) = (Pair::new(), Pair::new());
        let until = Some("2026-06-01T00:00:00Z".to_owned());
        let acme = Publisher { until, plugins: vec!["on-time".to_owned()], ..publisher("acme", &pair) };
        let trust = trust(vec![acme]);
        let (text, early, late) = (pair.sign(b"x", "c"), time("2026-01-01T00:00:00Z"), time("2026-06-01T00:00:00Z"));
        let signed = trust.examine(b"x", &text, early).unwrap();
        let signed_late = trust.examine(b"x", &text, late).unwrap();
        let unknown = trust.examine(b"x", &stranger.sign(b"x", "c"), early).unwrap();
        assert_eq!(signed.signer.as_ref().unwrap().name, "acme");
        for (plugin, signature, expected) in [
            (Some("on-time"), None, Standing::Unsigned),
            (Some("on-time"), Some(&unknown), Standing::UnknownKey),
            (Some("on-time"), Some(&signed), Standing::Trusted),
            (None, Some(&signed), Standing::Trusted),
            (Some("other"), Some(&signed), Standing::OtherPlugin),
            (Some("on-time"), Some(&signed_late), Standing::Expired),
            (None, Some(&signed_late), Standing::Expired),
        ] {
            assert_eq!(trust.standing(plugin, signature), expected, "{plugin:?} {signature:?}");
        }
        trust.said.write().unwrap().publishers.clear();
        assert_eq!(trust.standing(Some("on-time"), Some(&signed)), Standing::NoLongerTrusted);
        // Another key under the same name takes nothing over.
        trust.said.write().unwrap().publishers.push(publisher("acme", &stranger));
        assert_eq!(trust.standing(Some("on-time"), Some(&signed)), Standing::NoLongerTrusted);
    }

    #[test]
    fn a_known_key_that_does_not_fit_is_no_unknown_key() {
        let pair = Pair::new();
        let trust = trust(vec![publisher("acme", &pair)]);
        let refused = trust.examine(b"y", &pair.sign(b"x", "c"), Timestamp::EPOCH).unwrap_err().to_string();
        assert!(refused.contains("\"acme\"") || refused.contains("(acme)"), "{refused}");
    }

    #[test]
    fn the_file_reads_back_and_a_broken_one_opens_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trust.toml");
        assert!(!Trust::open(&path, false).unwrap().is_required());
        assert!(Trust::open(&path, true).unwrap().is_required());
        let pair = Pair::new();
        let full = Publisher {
            until: Some("2027-01-01T00:00:00Z".to_owned()),
            plugins: vec!["on-time".to_owned()],
            comment: Some("their release key".to_owned()),
            ..publisher("acme & sons", &pair)
        };
        let said = Said { require_signature: true, publishers: vec![full.clone(), publisher("b", &pair)] };
        write(&path, &said).unwrap();
        let opened = Trust::open(&path, false).unwrap();
        assert!(opened.is_required());
        assert_eq!(opened.said().publishers, [full, publisher("b", &pair)]);
        let refusal = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Trust::open(&path, false).unwrap_err().to_string()
        };
        assert!(refusal("require_signature = true\nrequire = 1").contains("trust.toml: line 2: unknown field"));
        let entry = |name: &str, key: &str| format!("[[publisher]]\nname = {name:?}\nkey = {key:?}\n");
        assert!(refusal(&entry("a", "RW")).contains("publisher \"a\": it is no minisign public key"));
        assert!(refusal(&entry("a/b", &pair.public())).contains("no / and no control characters"));
        let twice = entry("a", &pair.public()).repeat(2);
        assert!(refusal(&twice).contains("two publishers named \"a\""));
        let soon = format!("{}until = \"soon\"", entry("a", &pair.public()));
        assert!(refusal(&soon).contains("until: \"soon\" is not an RFC 3339 time"));
    }
}
