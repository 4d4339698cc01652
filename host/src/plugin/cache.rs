//! Compiled code on disk, so that a plugin is compiled once. Deleting the directory at any time is safe.
//!
//! ```text
//! <name>.code := magic  MAC (32 bytes)  compiled code
//! name        the BLAKE3 digest of the component's digest, wasmtime's own compatibility hash and our settings
//! MAC         BLAKE3, keyed with the file `key`, of the name's bytes and the compiled code
//! ```
//! Compiled code is run as it is: whoever can write such a file could do in this process what they like. So a file
//! is only taken if this host, or another with the same key, has written it for this very name; anything else is
//! compiled again and replaced. That holds as long as nobody else reads `key`, which only its owner may.

use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::Error;
use super::store::{io_error, write_whole};
use crate::event::Digest;

const MAGIC: &[u8; 16] = b"polyfold code 1\n";
const MAC_END: usize = MAGIC.len() + 32;

/// A directory of compiled code.
#[derive(Clone)]
pub(super) struct Cache {
    dir: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// Opens the directory. It is made, and a key in it, if they are missing.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let path = dir.join("key");
        let key = match read_key(&path) {
            Some(key) => key,
            None => make_key(&path)?,
        };
        Ok(Self { dir: dir.to_owned(), key })
    }

    /// Takes compiled code, if it is there and this host's own.
    pub(super) fn load(&self, engine: &Engine, name: Digest) -> Option<Component> {
        let file = fs::read(self.path(name)).ok()?;
        let code = self.verified(name, &file)?;
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(%name, %error, "compiled code is not usable and will be made again");
                None
            }
        }
    }

    /// Stores compiled code. A full or vanished disk costs the next start a compilation, no more.
    pub(super) fn save(&self, name: Digest, component: &Component) {
        let saved = component.serialize().map_err(|error| Error::Engine(error.to_string())).and_then(|code| {
            let mut file = Vec::with_capacity(MAC_END + code.len());
            file.extend_from_slice(MAGIC);
            file.extend_from_slice(self.mac(name, &code).as_bytes());
            file.extend_from_slice(&code);
            fs::create_dir_all(&self.dir).map_err(io_error("create", &self.dir))?;
            write_whole(&self.path(name), &file)
        });
        if let Err(error) = saved {
            tracing::warn!(%name, %error, "compiled code is not cached");
        }
    }

    fn verified<'a>(&self, name: Digest, file: &'a [u8]) -> Option<&'a [u8]> {
        let code = file.get(MAC_END..)?;
        let found = blake3::Hash::from_slice(&file[MAGIC.len()..MAC_END]).ok()?;
        // Comparing two blake3::Hash takes the same time wherever they differ.
        let genuine = file.starts_with(MAGIC) && found == self.mac(name, code);
        if !genuine {
            tracing::warn!(%name, "compiled code was not written by this host and will be made again");
        }
        genuine.then_some(code)
    }

    fn mac(&self, name: Digest, code: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.key).update(&name.0).update(code).finalize()
    }

    fn path(&self, name: Digest) -> PathBuf {
        self.dir.join(format!("{name}.code"))
    }
}

/// The name of a component's compiled code: another plugin, wasmtime, processor or setting makes another name.
pub(super) fn name_of(component: Digest, engine: &Engine, settings: &str) -> Digest {
    /// Feeds what is hashed to BLAKE3, since the standard hasher may change between releases.
    struct Feed(blake3::Hasher);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut feed = Feed(blake3::Hasher::new());
    component.0.hash(&mut feed);
    // wasmtime's hash does not see every setting, the optimisation level for one; hence ours beside it.
    engine.precompile_compatibility_hash().hash(&mut feed);
    settings.hash(&mut feed);
    Digest(*feed.0.finalize().as_bytes())
}

fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "the MAC proves that these bytes came from Component::serialize in a host of ours")]
    // From memory and not by mapping the file, which is faster but could change after it was verified.
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// Reads the key, unless others can read it too or it is no key.
fn read_key(path: &Path) -> Option<[u8; 32]> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = fs::metadata(path).ok()?.mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others may read the key of the compiled code: it is replaced");
            return None;
        }
    }
    fs::read(path).ok()?.try_into().ok()
}

/// Two hosts that start at once may each make one; then the code of one is compiled again at its next start.
fn make_key(path: &Path) -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io_error("make random bytes for", path)(error.into()))?;
    write_whole(path, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Digest = Digest([7; 32]);

    fn component(engine: &Engine) -> Component {
        Component::new(engine, b"\0asm\x0d\0\x01\0").unwrap()
    }

    fn filled() -> (tempfile::TempDir, Engine, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let (engine, _) = super::super::settings::engine().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        cache.save(NAME, &component(&engine));
        (dir, engine, cache)
    }

    #[test]
    fn code_comes_back_also_after_a_restart() {
        let (dir, engine, cache) = filled();
        assert!(cache.load(&engine, NAME).is_some());
        assert!(Cache::open(dir.path()).unwrap().load(&engine, NAME).is_some());
    }

    #[test]
    fn a_file_that_was_tampered_with_is_not_trusted() {
        let (_dir, engine, cache) = filled();
        let sound = fs::read(cache.path(NAME)).unwrap();
        for at in [0, MAGIC.len(), MAC_END, sound.len() - 1] {
            let mut file = sound.clone();
            file[at] ^= 1;
            fs::write(cache.path(NAME), file).unwrap();
            assert!(cache.load(&engine, NAME).is_none(), "byte {at}");
        }
        for length in [0, 1, MAC_END, sound.len() - 1] {
            fs::write(cache.path(NAME), &sound[..length]).unwrap();
            assert!(cache.load(&engine, NAME).is_none(), "cut to {length}");
        }
        cache.save(NAME, &component(&engine));
        assert!(cache.load(&engine, NAME).is_some());
    }

    #[test]
    fn a_file_under_another_name_is_not_trusted() {
        let (_dir, engine, cache) = filled();
        let other = Digest([8; 32]);
        fs::copy(cache.path(NAME), cache.path(other)).unwrap();
        assert!(cache.load(&engine, other).is_none());
    }

    #[test]
    fn deleting_the_directory_is_safe() {
        let (dir, engine, cache) = filled();
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(cache.load(&engine, NAME).is_none());
        cache.save(NAME, &component(&engine));
        assert!(cache.load(&engine, NAME).is_some());
        // The key is gone for good, so the next host makes another and compiles again.
        assert!(Cache::open(dir.path()).unwrap().load(&engine, NAME).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, engine, cache) = filled();
        let path = dir.path().join("key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let reopened = Cache::open(dir.path()).unwrap();
        assert_ne!(reopened.key, cache.key);
        assert!(reopened.load(&engine, NAME).is_none());
    }

    #[test]
    fn the_name_depends_on_component_and_settings() {
        let (engine, settings) = super::super::settings::engine().unwrap();
        let name = name_of(NAME, &engine, &settings);
        assert_eq!(name, name_of(NAME, &engine, &settings));
        assert_ne!(name, name_of(Digest([8; 32]), &engine, &settings));
        assert_ne!(name, name_of(NAME, &engine, "other"));
    }
}
