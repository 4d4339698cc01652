//! Builds a project: what it needs, what is fetched, its commands, and what they made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::command::{Argv, Failed, Places, find};
use super::output::{self, Output};
use super::{About, Kind, Need, Project, toolchain};
use crate::cli::error::Error;
use crate::engine::{self, PLUGIN_BYTES_MAX, PluginKind};
use crate::server::problem::Problem;

/// A plugin that was built, and what its file says of it.
#[derive(Serialize)]
pub(in crate::cli) struct Built {
    /// As polyfold.toml says it.
    name: String,
    language: String,
    pub(in crate::cli) file: PathBuf,
    bytes: u64,
    pub(in crate::cli) kind: Kind,
    abi: String,
    export: String,
    imports: Vec<String>,
    #[serde(skip)]
    pub(in crate::cli) content: Vec<u8>,
}

/// Builds the plugin and looks at it as an installation would.
pub(in crate::cli) fn build(project: &Project, output: &Output) -> Result<Built, Error> {
    let places = Places::of(&project.dir)?;
    let recipe = &project.said.build;
    run(project, &places, &recipe.commands, &recipe.env, output)?;
    look_at(project.built(), &project.said.plugin)
}

/// Runs the plugin's unit tests. Returns whether there are any.
pub(in crate::cli) fn run_tests(project: &Project, output: &Output) -> Result<bool, Error> {
    let tests = &project.said.test;
    if tests.commands.is_empty() {
        return Ok(false);
    }
    run(project, &Places::of(&project.dir)?, &tests.commands, &tests.env, output).map(|()| true)
}

/// Runs commands of a project, once all that it needs is there.
fn run(
    project: &Project,
    places: &Places,
    commands: &[Argv],
    env: &BTreeMap<String, String>,
    output: &Output,
) -> Result<(), Error> {
    meet_needs(&project.said.needs, &project.dir)?;
    let _held = toolchain::prepare(&project.said.toolchains, places, output)?;
    let env: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.clone(), places.fill(value))).collect();
    for command in commands {
        let command = command.at(places);
        output.remark(&format!("running {command}"));
        command.run(&project.dir, &env).map_err(|failed| not_built(&failed))?;
    }
    Ok(())
}

/// Names everything that is missing at once: who has to fetch things wants to go once.
fn meet_needs(needs: &[Need], dir: &Path) -> Result<(), Error> {
    let missing: Vec<_> =
        needs.iter().filter_map(|need| Some(format!("{}; {}", lacking(need, dir)?, need.get))).collect();
    match &missing[..] {
        [] => Ok(()),
        [one] => Err(Error::Missing(format!("to build this project {one}"))),
        several => Err(Error::Missing(format!("to build this project\n  {}", several.join("\n  ")))),
    }
}

/// What is wrong with a program, if something is.
fn lacking(need: &Need, dir: &Path) -> Option<String> {
    let program = &need.program;
    if find(program, dir).is_none() {
        return Some(format!("{program} is needed, and is not there"));
    }
    let failed = need.check.as_ref()?.try_out(dir).err()?;
    Some(format!("{program} is there but not fit: {failed}"))
}

fn not_built(failed: &Failed) -> Error {
    let advice = match failed {
        Failed::Missing { .. } => "install it, or mend the command in polyfold.toml",
        Failed::NotRun { .. } => "mend the command in polyfold.toml",
        Failed::Ended { .. } => "what it printed stands above",
    };
    Error::Incomplete(format!("{failed}; {advice}"))
}

/// Reads what was made and finds out what it is.
fn look_at(file: PathBuf, said: &About) -> Result<Built, Error> {
    let content = match crate::cli::plugin::read_plugin(&file) {
        Ok(content) => content,
        Err(Error::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::Incomplete(format!(
                "the commands ended well, but did not make {}; `output` in polyfold.toml says where it should lie",
                file.display()
            )));
        }
        Err(error) => return Err(error),
    };
    debug_assert!(content.len() <= PLUGIN_BYTES_MAX, "it is not read further");
    let found = engine::inspect(&content)
        .map_err(|refused| Error::Plugin { path: file.clone(), problem: Box::new(Problem::from(&refused)) })?;
    let kind = match PluginKind::from(found.kind) {
        PluginKind::Projection => Kind::Projection,
        PluginKind::Upcaster => Kind::Upcaster,
    };
    if kind != said.kind {
        let (made, said) = (kind.as_str(), said.kind.as_str());
        let text = format!("{} is a plugin of kind {made}, but `kind` in polyfold.toml says {said}", file.display());
        return Err(Error::Refused(text));
    }
    let (name, language) = (said.name.0.to_string(), said.language.clone());
    let (bytes, abi, export, imports) = (content.len() as u64, found.abi.to_owned(), found.export, found.imports);
    Ok(Built { name, language, file, bytes, kind, abi, export, imports, content })
}

impl Built {
    /// For people, in one line.
    pub(in crate::cli) fn line(&self) -> String {
        let (file, size, kind, export) =
            (self.file.display(), output::size(self.bytes), self.kind.as_str(), &self.export);
        format!("{file}: {size}, {kind} ({export}), imports {}", imports(&self.imports))
    }
}

/// Imports by their short names; those of WASI, which say what a runtime is made of, by their number.
fn imports(names: &[String]) -> String {
    let (wasi, own): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with("wasi:"));
    let short = |name: &&String| {
        let name = name.strip_prefix("polyfold:plugin/").unwrap_or(name);
        name.split('@').next().unwrap_or(name).to_owned()
    };
    let mut parts: Vec<_> = own.iter().map(short).collect();
    match wasi.len() {
        0 => {}
        number => parts.push(format!("{} of WASI", output::count_of(number as u64, "interface"))),
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_told_in_short() {
        let short = |names: &[&str]| imports(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(short(&[]), "nothing");
        assert_eq!(short(&["polyfold:plugin/state@0.1.0"]), "state");
        let names = [
            "polyfold:plugin/state@0.1.0",
            "wasi:io/streams@0.2.6",
            "polyfold:plugin/logging@0.1.0",
            "wasi:cli/exit@0.2.6",
        ];
        assert_eq!(short(&names), "state, logging, 2 interfaces of WASI");
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let need = |program: &str, check: &[&str]| Need {
            program: program.to_owned(),
            check: Argv::try_from(check.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).ok(),
            get: format!("get {program}"),
        };
        let meet = |needs: &[Need]| meet_needs(needs, Path::new("/")).err().map(|error| error.to_string());
        assert_eq!(meet(&[need("sh", &[]), need("sh", &["true"])]), None);
        let one = "to build this project no-such-a is needed, and is not there; get no-such-a";
        assert_eq!(meet(&[need("no-such-a", &["true"])]), Some(one.to_owned()));
        let all = "to build this project\n  no-such-a is needed, and is not there; get no-such-a\n  \
                   sh is there but not fit: `sh -c 'exit 2'` ended with exit code 2; get sh";
        assert_eq!(meet(&[need("no-such-a", &[]), need("sh", &["sh", "-c", "exit 2"])]), Some(all.to_owned()));
    }
}
