//! Notices that a project's files changed.
//!
//! It looks again and again in place of asking the operating system to be told: a project has few files, a look costs
//! microseconds, and it works on network disks, in containers and through links, with no limit on watches and no
//! dependency.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli::project::Project;
use crate::event::Digest;

/// Between two looks: soon for whoever has just saved a file.
const EVERY: Duration = Duration::from_millis(200);

/// Folders within folders that are looked at: a link that leads back up ends here.
const DEPTH_MAX: usize = 16;

/// Folders that builds and tests write to.
const LEFT_BEHIND: [&str; 5] = ["node_modules", "build", "target", "zig-out", "__pycache__"];

/// What tells without reading it that a file was written anew.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// A project's files as they were.
pub(super) struct Watched {
    paths: Vec<PathBuf>,
    /// What a round writes itself.
    excluded: Vec<PathBuf>,
    stamps: Stamps,
    content: Digest,
}

impl Watched {
    pub(super) fn look(project: &Project, data_dir: &Path) -> Self {
        let data_dir = data_dir.canonicalize().or_else(|_| std::path::absolute(data_dir));
        let excluded = [project.output(), data_dir.unwrap_or_default()].into();
        let mut watched = Self { paths: project.watched(), excluded, stamps: BTreeMap::new(), content: Digest::ZERO };
        watched.stamps = watched.stamps();
        watched.content = content(&watched.stamps);
        watched
    }

    /// Waits until the files have another content and have been left alone since the last look.
    pub(super) fn wait(mut self) {
        let mut last = self.stamps.clone();
        loop {
            let now = self.stamps();
            if now == last && now != self.stamps {
                if content(&now) != self.content {
                    return;
                }
                // Written anew with what it held, as some build tools do.
                self.stamps.clone_from(&now);
            }
            last = now;
            std::thread::park_timeout(EVERY);
        }
    }

    fn stamps(&self) -> Stamps {
        let mut stamps = Stamps::new();
        self.paths.iter().for_each(|path| self.add(path, 0, &mut stamps));
        stamps
    }

    fn add(&self, path: &Path, depth: usize, stamps: &mut Stamps) {
        // What is not there may come.
        let Ok(metadata) = std::fs::metadata(path) else { return };
        if self.excluded.iter().any(|excluded| excluded == path) || depth > DEPTH_MAX {
            return;
        }
        if !metadata.is_dir() {
            stamps.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_left_behind = LEFT_BEHIND.iter().any(|left| name == *left);
            if !is_left_behind && !name.as_encoded_bytes().starts_with(b".") {
                self.add(&entry.path(), depth + 1, stamps);
            }
        }
    }
}

/// The digest of all files' names and contents.
fn content(stamps: &Stamps) -> Digest {
    let mut digests = Vec::new();
    for path in stamps.keys() {
        digests.extend(Digest::of(path.as_os_str().as_encoded_bytes()).0);
        digests.extend(Digest::of(&std::fs::read(path).unwrap_or_default()).0);
    }
    Digest::of(&digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["src/a.c", "src/deep/b.c", "src/target/x", "src/.hidden", "src/data/log", "src/out.wasm"] {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), name).unwrap();
        }
        std::os::unix::fs::symlink("..", path("src/deep/up")).unwrap();
        let excluded = vec![path("src/data"), path("src/out.wasm")];
        let paths = vec![path("src"), path("missing")];
        let watched = Watched { paths, excluded, stamps: BTreeMap::new(), content: Digest::ZERO };
        let seen = watched.stamps();
        assert!(seen.contains_key(&path("src/a.c")) && seen.contains_key(&path("src/deep/b.c")));
        let names: Vec<_> = seen.keys().filter_map(|path| path.file_name()?.to_str()).collect();
        assert!(!names.contains(&"x") && !names.contains(&".hidden"), "{names:?}");
        let direct: Vec<_> =
            seen.keys().filter(|path| path.components().all(|part| part.as_os_str() != "up")).collect();
        assert_eq!(direct.len(), 2, "{direct:?}");
        let before = content(&seen);
        std::fs::write(path("src/a.c"), "src/a.c").unwrap();
        assert_eq!(content(&watched.stamps()), before, "the same content again");
        std::fs::write(path("src/a.c"), "other").unwrap();
        assert_ne!(content(&watched.stamps()), before);
    }
}
