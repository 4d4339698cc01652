//! A plugin's project: a folder with a `polyfold.toml` that says how its plugin is built.

mod build;
mod command;
mod kit;
mod toolchain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::{output, toml};
use crate::event::PluginName;
pub(super) use build::{Built, build, run_tests};
use command::Argv;
pub(super) use kit::{Kits, ProjectFile, VENDORED};
use toolchain::Toolchain;

/// What a project is known by.
pub(super) const FILE: &str = "polyfold.toml";

/// A project on the disk.
pub(super) struct Project {
    /// Absolute, so that it means the same to every command.
    dir: PathBuf,
    /// As it was named.
    shown: PathBuf,
    said: Said,
}

/// What polyfold.toml says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    plugin: About,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default, rename = "toolchain")]
    toolchains: Vec<Toolchain>,
    build: Recipe,
    #[serde(default)]
    test: Tests,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    name: Name,
    /// For people: what it takes to build it is all said below.
    language: String,
    kind: Kind,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(PluginName);

/// What a plugin does, as a project says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Projection,
    Upcaster,
}

/// A program that must be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Need {
    program: String,
    /// Must end well where the program is fit for the project.
    check: Option<Argv>,
    /// How to get it.
    get: String,
}

/// How the plugin is made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    commands: Vec<Argv>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// What the commands make.
    output: PathBuf,
    /// What `plugin dev` watches.
    #[serde(default)]
    watch: Vec<PathBuf>,
}

/// The plugin's unit tests, which run natively.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tests {
    #[serde(default)]
    commands: Vec<Argv>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl Project {
    /// Reads the project in a folder.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let path = if dir == Path::new(".") { FILE.into() } else { dir.join(FILE) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (dir, known) = (dir.display(), Kits::carried().languages().into_iter().collect::<Vec<_>>());
                return Err(Error::Usage(format!(
                    "there is no {FILE} in {dir}: go to a project's folder or name it, or make one with \
                     `polyfold plugin new NAME --language LANGUAGE` ({})",
                    known.join(", ")
                )));
            }
            Err(source) => return Err(Error::File { path, source }),
        };
        let said = toml::of_file(&path, &text)?;
        let shown = if dir == Path::new(".") { PathBuf::new() } else { dir.to_owned() };
        let dir = dir.canonicalize().map_err(|source| Error::File { path: dir.to_owned(), source })?;
        Ok(Self { dir, shown, said })
    }

    /// What is made, wherever the program runs.
    pub(super) fn output(&self) -> PathBuf {
        self.dir.join(&self.said.build.output)
    }

    /// What the build makes.
    pub(super) fn built(&self) -> PathBuf {
        self.shown.join(&self.said.build.output)
    }

    /// Everything from which the plugin is made.
    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let own = [PathBuf::from(FILE), PathBuf::from(VENDORED)];
        own.iter().chain(&self.said.build.watch).map(|path| self.dir.join(path)).collect()
    }
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Projection => "projection",
            Self::Upcaster => "upcaster",
        }
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        PluginName::new(text).map(Self).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
impl Said {
    fn of(text: &str) -> Result<Self, (Option<usize>, String)> {
        toml::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"
[plugin]
name = "revenue"
language = "python"
kind = "projection"
[[needs]]
program = "python3"
check = ["python3", "-m", "venv", "-h"]
get = "Debian: apt-get install python3-venv"
[[toolchain]]
name = "componentize-py-0.25.1"
files = "polyfold/toolchain"
install = [["python3", "-m", "venv", "."]]
[build]
commands = [["{tools}/componentize-py-0.25.1/bin/componentize-py", "x"]]
env = { GOFLAGS = "-mod=mod" }
output = "build/revenue.wasm"
watch = ["src"]
"#;

    #[test]
    fn a_project_is_understood() {
        let said = Said::of(SAID).unwrap();
        assert_eq!((said.plugin.name.0.as_str(), said.plugin.language.as_str()), ("revenue", "python"));
        assert_eq!((said.plugin.kind, said.needs.len(), said.toolchains.len()), (Kind::Projection, 1, 1));
        assert_eq!(said.build.env["GOFLAGS"], "-mod=mod");
        let least =
            "[plugin]\nname = \"a\"\nlanguage = \"c\"\nkind = \"upcaster\"\n[build]\ncommands = []\noutput = \"a\"";
        let said = Said::of(least).unwrap();
        assert_eq!((said.plugin.kind, said.needs.len(), said.build.watch.len()), (Kind::Upcaster, 0, 0));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let refusal = |from: &str, to: &str| {
            let (line, why) = Said::of(&SAID.replace(from, to)).unwrap_err();
            format!("{}: {why}", line.unwrap_or_default())
        };
        assert_eq!(
            refusal("watch =", "wacth ="),
            "18: unknown field `wacth`, expected one of `commands`, `env`, `output`, `watch`"
        );
        assert_eq!(
            refusal("[build]", "[bulid]"),
            "14: unknown field `bulid`, expected one of `plugin`, `needs`, `toolchain`, `build`, `test`"
        );
        assert_eq!(
            refusal("kind = \"projection\"", "kind = \"view\""),
            "5: kind: unknown variant `view`, expected `projection` or `upcaster`"
        );
        assert_eq!(
            refusal("\"revenue\"", "\"Revenue\""),
            "3: \"Revenue\" is not a valid name: it must be 1 to 64 of a-z, 0-9 and -, starting with a letter"
        );
        assert_eq!(
            refusal("name = \"comp", "name = \"../comp"),
            "11: a toolchain's name is that of a folder: 1 to 128 of a-z, A-Z, 0-9, -, _, . and +, a letter or digit first"
        );
        let no_check = refusal("[\"python3\", \"-m\", \"venv\", \"-h\"]", "[]");
        assert_eq!(no_check, "8: check: a command begins with its program");
        assert_eq!(refusal("output = \"build/revenue.wasm\"\n", ""), "14: missing field `output`");
    }
}
