//! Commands of a project: words that are run as they are, without a shell.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde::Deserialize;

use crate::cli::error::Error;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(super) struct Argv {
    program: String,
    arguments: Vec<String>,
}

/// The folders that a command may name.
pub(super) struct Places {
    /// `{tools}`
    pub(super) tools: PathBuf,
    /// `{project}`
    pub(super) project: PathBuf,
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("`{command}` cannot be run: {program} is not there")]
    Missing { command: String, program: String },
    #[error("`{command}` cannot be run: {source}")]
    NotRun { command: String, source: std::io::Error },
    #[error("`{command}` {}", ending(*.status))]
    Ended { command: String, status: ExitStatus },
}

impl TryFrom<Vec<String>> for Argv {
    type Error = &'static str;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or("a command begins with its program")?;
        Ok(Self { program, arguments: words.collect() })
    }
}

impl Argv {
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.program.as_str()).chain(self.arguments.iter().map(String::as_str))
    }

    /// The command with the places filled in.
    pub(super) fn at(&self, places: &Places) -> Self {
        let fill = |text: &String| places.fill(text);
        Self { program: fill(&self.program), arguments: self.arguments.iter().map(fill).collect() }
    }

    /// Runs the command in a folder. All that it prints goes to standard error, because standard output is for data.
    pub(super) fn run(&self, dir: &Path, env: &BTreeMap<String, String>) -> Result<(), Failed> {
        let stdout = std::io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
        let status = self.command(dir).envs(env).stdin(Stdio::null()).stdout(stdout).status();
        self.ended(status)
    }

    /// Runs the command in a folder and lets it say nothing.
    pub(super) fn try_out(&self, dir: &Path) -> Result<(), Failed> {
        let mut command = self.command(dir);
        self.ended(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status())
    }

    fn command(&self, dir: &Path) -> Command {
        // What has a slash is meant from the folder; other names are looked up in PATH.
        let program = if self.program.contains('/') { dir.join(&self.program) } else { PathBuf::from(&self.program) };
        let mut command = Command::new(program);
        command.args(&self.arguments).current_dir(dir);
        command
    }

    fn ended(&self, status: std::io::Result<ExitStatus>) -> Result<(), Failed> {
        let command = self.to_string();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failed::Ended { command, status }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failed::Missing { command, program: self.program.clone() })
            }
            Err(source) => Err(Failed::NotRun { command, source }),
        }
    }
}

impl fmt::Display for Argv {
    /// As a person would type it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |word: &str| {
            !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"\\$`*&;|<>()".contains(c))
        };
        for (index, word) in self.words().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            match is_plain(word) {
                true => write!(f, "{gap}{word}")?,
                false => write!(f, "{gap}'{}'", word.replace('\'', "'\\''"))?,
            }
        }
        Ok(())
    }
}

impl Places {
    /// The tools folder that the environment names, and a project's.
    pub(super) fn of(project: &Path) -> Result<Self, Error> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let tools = set("POLYFOLD_TOOLS").or_else(|| cache().map(|cache| cache.join("polyfold/tools")));
        let tools = tools.ok_or_else(|| {
            Error::Usage("no folder for compilers is known: set POLYFOLD_TOOLS or HOME to a folder".to_owned())
        })?;
        // Commands run elsewhere.
        let tools = std::path::absolute(&tools).map_err(|source| Error::File { path: tools, source })?;
        let places = Self { tools, project: project.to_owned() };
        for path in [&places.tools, &places.project] {
            if path.to_str().is_none() {
                let text = format!("{} is not UTF-8, so no command can name it: use another folder", path.display());
                return Err(Error::Usage(text));
            }
        }
        Ok(places)
    }

    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{tools}", &self.tools.to_string_lossy()).replace("{project}", &self.project.to_string_lossy())
    }
}

/// Where a program lies that is named as in a shell, if it is there.
pub(super) fn find(program: &str, dir: &Path) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(dir.join(program)).filter(is_program);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(is_program)
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Argv {
        Argv::try_from(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn places_are_filled_in_and_commands_shown_as_typed() {
        let places = Places { tools: "/t".into(), project: "/p q".into() };
        let command = argv(&["{tools}/bin/x", "-o", "{project}/a.wasm", "it's", "", "{name}"]).at(&places);
        assert_eq!(command.to_string(), r"/t/bin/x -o '/p q/a.wasm' 'it'\''s' '' {name}");
    }

    #[test]
    fn a_command_ends_as_its_program_does() {
        let dir = tempfile::tempdir().unwrap();
        let run = |words: &[&str]| argv(words).try_out(dir.path()).map_err(|failed| failed.to_string());
        assert_eq!(run(&["sh", "-c", "touch here"]), Ok(()));
        assert!(dir.path().join("here").exists());
        assert_eq!(run(&["sh", "-c", "exit 3"]), Err("`sh -c 'exit 3'` ended with exit code 3".to_owned()));
        assert_eq!(run(&["sh", "-c", "kill -9 $$"]), Err("`sh -c 'kill -9 $$'` was ended by signal 9".to_owned()));
        let missing = "`bin/nothing x` cannot be run: bin/nothing is not there";
        assert_eq!(run(&["bin/nothing", "x"]), Err(missing.to_owned()));
        assert!(run(&["./here"]).unwrap_err().contains("ermission denied"));
        assert!(find("sh", dir.path()).is_some() && find("no-such-program", dir.path()).is_none());
        assert!(find("./here", dir.path()).is_none(), "it is no program");
    }
}
