//! Compilers that are fetched: made once for all projects, in a folder that they share.
//!
//! A toolchain is made in place, because some cannot be moved afterwards, and marked as complete at the end with the
//! digest of what it was made from. Whoever makes one holds its lock alone, whoever builds with it holds it with others.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::command::{Argv, Places};
use super::output::Output;
use crate::cli::error::Error;
use crate::event::Digest;

/// Holds the digest of what a toolchain was made from.
const COMPLETE: &str = ".complete";

/// How often it is made anew because another project has made it of other files. More is a quarrel.
const ROUNDS_MAX: usize = 3;

/// Something that is fetched once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Toolchain {
    name: Name,
    /// Copied into it first.
    files: Option<PathBuf>,
    /// Run in it.
    install: Vec<Argv>,
}

/// A folder's name.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 128 && text.chars().all(is_plain) {
            return Ok(Self(text));
        }
        Err("a toolchain's name is that of a folder: 1 to 128 of a-z, A-Z, 0-9, -, _, . and +, a letter or digit first")
    }
}

/// Keeps a toolchain as it is until it is dropped.
pub(super) struct Held(#[expect(dead_code, reason = "the lock goes with the file")] File);

/// Makes what is not there yet, and holds all of it.
pub(super) fn prepare(toolchains: &[Toolchain], places: &Places, output: &Output) -> Result<Vec<Held>, Error> {
    if toolchains.is_empty() {
        return Ok(Vec::new());
    }
    std::fs::create_dir_all(&places.tools).map_err(|error| file_error(&places.tools, error))?;
    let plans: Vec<_> = toolchains.iter().map(|toolchain| Plan::of(toolchain, places)).collect::<Result<_, _>>()?;
    for _ in 0..ROUNDS_MAX {
        // One after the other: who waits for one lock holds no other.
        plans.iter().try_for_each(|plan| plan.make_if_missing(output))?;
        let held: Vec<_> = plans.iter().map(Plan::hold).collect::<Result<_, _>>()?;
        let complete: Option<Vec<_>> = held.into_iter().collect();
        if let Some(complete) = complete {
            return Ok(complete);
        }
    }
    let names: Vec<_> = plans.iter().map(|plan| plan.name).collect();
    Err(Error::Incomplete(format!(
        "a toolchain in {} is made anew by another project each time it is made here ({}): \
         let each project that needs other files give it another name",
        places.tools.display(),
        names.join(", ")
    )))
}

/// A toolchain as it should be.
struct Plan<'a> {
    name: &'a str,
    folder: PathBuf,
    lock: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
    install: Vec<Argv>,
    digest: Digest,
}

impl<'a> Plan<'a> {
    fn of(toolchain: &'a Toolchain, places: &Places) -> Result<Self, Error> {
        let Toolchain { name: Name(name), files: from, install } = toolchain;
        let mut files = BTreeMap::new();
        if let Some(from) = from {
            let from = places.project.join(from);
            read_all(&from, Path::new(""), &mut files).map_err(|(path, error)| file_error(&path, error))?;
        }
        Ok(Self {
            name,
            folder: places.tools.join(name),
            lock: places.tools.join(format!(".{name}.lock")),
            digest: digest(&files, install),
            files,
            install: install.iter().map(|command| command.at(places)).collect(),
        })
    }

    fn is_complete(&self) -> bool {
        std::fs::read_to_string(self.folder.join(COMPLETE)).is_ok_and(|mark| mark == self.digest.to_string())
    }

    /// Takes the lock together with others, if there is something complete to hold.
    fn hold(&self) -> Result<Option<Held>, Error> {
        let lock = self.open_lock()?;
        lock.lock_shared().map_err(|error| file_error(&self.lock, error))?;
        Ok(self.is_complete().then_some(Held(lock)))
    }

    fn make_if_missing(&self, output: &Output) -> Result<(), Error> {
        if self.is_complete() {
            return Ok(());
        }
        let lock = self.open_lock()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                output.remark(&format!("waiting for another process that makes or uses {}", self.folder.display()));
                lock.lock().map_err(|error| file_error(&self.lock, error))?;
            }
            Err(TryLockError::Error(error)) => return Err(file_error(&self.lock, error)),
        }
        // Whoever was waited for may have made it.
        if self.is_complete() { Ok(()) } else { self.make(output) }
    }

    /// Makes it from nothing: of what an interrupted installation left, nobody knows what is missing.
    fn make(&self, output: &Output) -> Result<(), Error> {
        let folder = &self.folder;
        output.remark(&format!("fetching {}, once for all projects, into {}", self.name, folder.display()));
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_error(folder, error)),
            Ok(()) | Err(_) => {}
        }
        std::fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        for (path, content) in &self.files {
            let path = folder.join(path);
            write(&path, content).map_err(|error| file_error(&path, error))?;
        }
        for command in &self.install {
            command.run(folder, &BTreeMap::new()).map_err(|failed| self.not_made(&failed.to_string()))?;
        }
        let mark = folder.join(COMPLETE);
        write(&mark, self.digest.to_string().as_bytes()).map_err(|error| file_error(&mark, error))
    }

    fn open_lock(&self) -> Result<File, Error> {
        let lock = File::options().create(true).truncate(false).write(true).open(&self.lock);
        lock.map_err(|error| file_error(&self.lock, error))
    }

    fn not_made(&self, why: &str) -> Error {
        let (name, folder) = (self.name, self.folder.display());
        Error::Missing(format!(
            "toolchain {name} was not made: {why}; what it printed stands above. It is fetched over the network: \
             the next build tries again. Without a network, copy {folder} to the same path from a machine that has it"
        ))
    }
}

/// All files under a folder, by their paths in it. Links are followed.
fn read_all(
    from: &Path,
    inner: &Path,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), (PathBuf, std::io::Error)> {
    let folder = from.join(inner);
    let failed = |error| (folder.clone(), error);
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = inner.join(entry.map_err(failed)?.file_name());
        let full = from.join(&path);
        if full.is_dir() {
            read_all(from, &path, files)?;
        } else {
            let content = std::fs::read(&full).map_err(|error| (full, error))?;
            files.insert(path, content);
        }
    }
    Ok(())
}

/// What a toolchain is made from, as one digest: each part with its length before it.
fn digest(files: &BTreeMap<PathBuf, Vec<u8>>, install: &[Argv]) -> Digest {
    let mut bytes = Vec::new();
    let mut part = |content: &[u8]| {
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(content);
    };
    for (path, content) in files {
        part(path.as_os_str().as_encoded_bytes());
        part(content);
    }
    for command in install {
        part(b"run");
        command.words().for_each(|word| part(word.as_bytes()));
    }
    Digest::of(&bytes)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
    std::fs::write(path, content)
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A toolchain that notes in a file outside each time it is made.
    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("project/lock")).unwrap();
            std::fs::write(dir.path().join("project/lock/versions"), "1").unwrap();
            Self { dir }
        }

        fn prepare(&self, script: &str) -> Result<Vec<Held>, String> {
            let path = |name: &str| self.dir.path().join(name);
            let places = Places { tools: path("tools"), project: path("project") };
            let noted = format!("echo x >> {}; {script}", path("made").display());
            let words = ["sh", "-c", &noted].map(str::to_owned).to_vec();
            let install = vec![Argv::try_from(words).unwrap()];
            let toolchain = Toolchain { name: Name("one-1.0".into()), files: Some("lock".into()), install };
            prepare(&[toolchain], &places, &Output::new(false, true)).map_err(|error| error.to_string())
        }

        fn times_made(&self) -> usize {
            std::fs::read_to_string(self.dir.path().join("made")).map_or(0, |made| made.lines().count())
        }
    }

    #[test]
    fn a_toolchain_is_made_once_and_anew_when_its_files_change() {
        let place = Place::new();
        let tool = place.dir.path().join("tools/one-1.0/bin/tool");
        let script = "mkdir bin && cp versions bin/tool";
        for _ in 0..2 {
            assert_eq!(place.prepare(script).unwrap().len(), 1);
        }
        assert_eq!((place.times_made(), std::fs::read_to_string(&tool).unwrap().as_str()), (1, "1"));
        std::fs::write(place.dir.path().join("project/lock/versions"), "2").unwrap();
        place.prepare(script).unwrap();
        assert_eq!((place.times_made(), std::fs::read_to_string(&tool).unwrap().as_str()), (2, "2"));
        place.prepare("true").unwrap();
        assert_eq!((place.times_made(), tool.exists()), (3, false), "other commands, and nothing is left of before");
    }

    #[test]
    fn what_was_interrupted_is_made_anew() {
        let place = Place::new();
        let refusal = place.prepare("touch half && exit 7").err().unwrap();
        assert!(refusal.starts_with("toolchain one-1.0 was not made: `sh -c "), "{refusal}");
        assert!(refusal.contains("ended with exit code 7") && refusal.contains("Without a network"), "{refusal}");
        assert!(place.dir.path().join("tools/one-1.0/half").exists());
        place.prepare("test ! -e half").unwrap();
        assert_eq!(place.times_made(), 2);
    }

    #[test]
    fn many_at_once_make_it_once() {
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(place.prepare("cat versions > copy").unwrap().len(), 1));
            }
        });
        assert_eq!(place.times_made(), 1);
    }
}
