//! Bearer tokens in `tokens.json`: who they are for, what they allow, and a digest of the secret, never the secret.

pub(super) mod routes;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::model::{MadeToken, NewToken, Scope, Token};
use crate::engine::sealed;
use crate::event::Timestamp;

/// Far more than a host has clients that must be told apart; each is one comparison of text a request.
const TOKENS_MAX: usize = 10_000;
const CATEGORIES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 256;
/// As many as a key of a cipher: nobody guesses that.
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 6;

/// What is wrong with a token that is to be made, revoked or read.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: {why}; restore the file from a copy, or remove it and make tokens anew", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the operating system gives no random numbers: {0}")]
    NoRandomness(getrandom::Error),
    #[error("no token {0:?}; `polyfold token list` shows those that there are")]
    Unknown(String),
}

/// All tokens of a data directory.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    held: Mutex<Vec<Stored>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    token: Token,
    /// BLAKE3 of the secret. The secret is random throughout, so a slow hash would guard nothing.
    digest: String,
    #[serde(skip)]
    access: Option<Arc<Access>>,
}

impl Tokens {
    /// Reads the tokens of a data directory; there are none where there is no file.
    pub fn open(dir: &Path) -> Result<Self, TokenError> {
        let path = dir.join("tokens.json");
        let held = match std::fs::read(&path) {
            Ok(text) => parse(&text).map_err(|why| TokenError::Unreadable { path: path.clone(), why })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(TokenError::File { path, source }),
        };
        Ok(Self { path, held: Mutex::new(held) })
    }

    pub(super) fn list(&self) -> Vec<Token> {
        self.held().iter().map(|stored| stored.token.clone()).collect()
    }

    /// Makes a token. Its secret is in the answer and nowhere else.
    pub(super) fn create(&self, new: NewToken) -> Result<MadeToken, TokenError> {
        check(&new)?;
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret)).map_err(TokenError::NoRandomness)?;
        let (mut scopes, mut categories) = (new.scopes, new.categories);
        scopes.sort_unstable();
        scopes.dedup();
        categories.sort_unstable();
        categories.dedup();
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = Token { id, name: new.name, scopes, categories, created_at: Timestamp::now().to_string() };
        let made = MadeToken { secret: presented(&token.id, &secret), token: token.clone() };
        self.change(|held| {
            if held.len() >= TOKENS_MAX {
                return Err(TokenError::Invalid("there are 10,000 tokens; revoke some first"));
            }
            held.push(Stored::new(token, blake3::hash(&secret).to_hex().to_string()));
            Ok(())
        })?;
        Ok(made)
    }

    /// Takes a token back: from now on it opens nothing, and what it follows ends.
    pub(super) fn revoke(&self, id: &str) -> Result<(), TokenError> {
        let mut revoked = None;
        self.change(|held| {
            let found = held.iter().position(|stored| stored.token.id == id);
            revoked = held.remove(found.ok_or_else(|| TokenError::Unknown(id.to_owned()))?).access;
            Ok(())
        })?;
        if let Some(access) = revoked {
            access.revoked().cancel();
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    /// What a text that was presented as a token allows; none if it is no token of this host.
    pub(super) fn access(&self, text: &str) -> Option<Arc<Access>> {
        let (id, secret) = text.strip_prefix("pf_")?.split_once('_')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
        let held = self.held();
        let stored = held.iter().find(|stored| stored.token.id == id)?;
        let digest = blake3::Hash::from_hex(&stored.digest).ok()?;
        // Comparing two hashes takes the same time wherever they differ.
        (blake3::hash(&secret) == digest).then(|| stored.access.clone()).flatten()
    }

    fn held(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the tokens on disk, then here: a failed write changes nothing.
    fn change(&self, change: impl FnOnce(&mut Vec<Stored>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let mut held = self.held();
        let mut changed = held.clone();
        change(&mut changed)?;
        write(&self.path, &changed).map_err(|source| TokenError::File { path: self.path.clone(), source })?;
        *held = changed;
        Ok(())
    }
}

impl Stored {
    fn new(token: Token, digest: String) -> Self {
        let access = Some(Arc::new(Access::of(&token)));
        Self { token, digest, access }
    }
}

/// The file: an object with a checksum.
#[derive(Serialize, Deserialize)]
// Because of the checksum; see engine/sealed.rs.
#[serde(deny_unknown_fields)]
struct Content {
    tokens: Vec<Stored>,
}

fn parse(text: &[u8]) -> Result<Vec<Stored>, String> {
    let value = sealed::unseal(text)?;
    // Before there was a checksum, the file was a mere list.
    let stored = match value.is_array() {
        true => serde_json::from_value(value),
        false => serde_json::from_value(value).map(|content: Content| content.tokens),
    };
    let stored = stored.map_err(|error| error.to_string())?;
    Ok(stored.into_iter().map(|stored| Stored::new(stored.token, stored.digest)).collect())
}

fn presented(id: &str, secret: &[u8]) -> String {
    format!("pf_{id}_{}", URL_SAFE_NO_PAD.encode(secret))
}

fn check(new: &NewToken) -> Result<(), TokenError> {
    let invalid = |why| Err(TokenError::Invalid(why));
    if new.name.is_empty() || new.name.len() > NAME_BYTES_MAX || new.name.chars().any(char::is_control) {
        return invalid("a token's name has 1 to 256 bytes and no control characters");
    }
    if new.scopes.is_empty() {
        return invalid("a token needs a scope: append, read or manage");
    }
    if new.categories.len() > CATEGORIES_MAX {
        return invalid("a token can be limited to 256 categories at most");
    }
    let is_category = |name: &String| !name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control);
    if !new.categories.iter().all(is_category) {
        return invalid("a category is the part of a stream's name before the first /");
    }
    // Who installs plugins and projections reads whatever they fold.
    if !new.categories.is_empty() && new.scopes.contains(&Scope::Manage) {
        return invalid("a token that may manage cannot be limited to categories");
    }
    Ok(())
}

/// Replaces the file at once and for its owner only, so that no moment shows half of it, or all of it to others.
fn write(path: &Path, tokens: &[Stored]) -> io::Result<()> {
    let temporary = path.with_extension("json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o600))?;
    file.write_all(&sealed::seal(&Content { tokens: tokens.to_vec() })?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn new(scopes: &[Scope], categories: &[&str]) -> NewToken {
        let categories = categories.iter().map(ToString::to_string).collect();
        NewToken { name: "shop".to_owned(), scopes: scopes.to_vec(), categories }
    }

    #[test]
    fn a_token_opens_until_it_is_revoked_and_its_secret_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).unwrap();
        let made = tokens.create(new(&[Scope::Read, Scope::Append], &["order"])).unwrap();
        let path = dir.path().join("tokens.json");
        let (text, mode) = (std::fs::read_to_string(&path).unwrap(), path.metadata().unwrap().permissions().mode());
        let secret = made.secret.splitn(3, '_').last().unwrap();
        assert!(!text.contains(secret), "{text}");
        assert_eq!(mode & 0o777, 0o600);

        let reopened = Tokens::open(dir.path()).unwrap();
        assert!(reopened.access(&made.secret).is_some());
        let other = presented(&made.token.id, &[0; SECRET_BYTES]);
        for wrong in ["", "pf_", "pf_x_y", secret, &other, &format!("{}A", made.secret)] {
            assert!(reopened.access(wrong).is_none(), "{wrong}");
        }
        reopened.revoke(&made.token.id).unwrap();
        assert!(reopened.access(&made.secret).is_none());
        assert!(matches!(reopened.revoke(&made.token.id), Err(TokenError::Unknown(_))));
        assert!(Tokens::open(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn a_list_of_an_earlier_release_opens_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        let made = Tokens::open(dir.path()).unwrap().create(new(&[Scope::Read], &["order"])).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"order\"", "\"ordes\"")).unwrap();
        let error = Tokens::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("tokens.json: it is damaged") && error.contains("restore the file"), "{error}");
        let list = serde_json::from_str::<serde_json::Value>(&text).unwrap()["tokens"].to_string();
        std::fs::write(&path, list).unwrap();
        assert!(Tokens::open(dir.path()).unwrap().access(&made.secret).is_some());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path()).unwrap();
        for (scopes, categories, why) in [
            (&[][..], &[][..], "needs a scope"),
            (&[Scope::Manage], &["order"], "cannot be limited"),
            (&[Scope::Read], &["order/1"], "before the first /"),
            (&[Scope::Read], &[""], "before the first /"),
        ] {
            let error = tokens.create(new(scopes, categories)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        std::fs::write(dir.path().join("tokens.json"), "[{}]").unwrap();
        assert!(Tokens::open(dir.path()).unwrap_err().to_string().contains("restore the file"));
    }
}
