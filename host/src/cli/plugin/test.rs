//! `plugin test`: golden traces against a built plugin, without a host.

mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{read_plugin, trace_file};
use crate::cli::Context;
use crate::cli::error::Error;
use crate::cli::project::{Project, run_tests};
use crate::engine::{self, Bench, CUTS_MAX, Compiling, Subject};
use crate::server::problem::Problem;
use report::Report;

/// Run a project's unit tests, and replay golden traces against its built plugin, cut into calls in many ways.
///
/// What differs is shown key by key. Needs no host and no data directory. Exit code 5 says that something differs.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The project's folder [default: .], whose polyfold.toml says what was built; then traces [default: its
    /// traces/*.trace]. With --plugin, traces only.
    #[arg(value_name = "DIR|TRACE")]
    paths: Vec<PathBuf>,
    /// A built plugin, in place of a project's.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Write what the plugin makes now into the traces, after showing what changes.
    #[arg(long)]
    update: bool,
    /// Cut the events in two at so many places at most: for languages that take long to start.
    #[arg(long, default_value_t = CUTS_MAX, value_name = "N")]
    cuts: usize,
    /// Show so many differences of each trace.
    #[arg(long, default_value = "20", value_name = "N")]
    limit: usize,
}

impl Test {
    pub(in crate::cli) fn run(self, context: &mut Context) -> Result<(), Error> {
        let (plugin, traces) = self.found(context)?;
        if traces.is_empty() {
            return Ok(());
        }
        let bench = Bench::new(code_cache().as_deref()).map_err(Error::of)?;
        let bytes = read_plugin(&plugin)?;
        let bar = context.output.functions_bar(&format!("compiling {}", plugin.display()));
        let mut show = |now: Compiling| {
            bar.set_length(now.functions_total);
            bar.set_position(now.functions);
        };
        let refused = |error: engine::Error| {
            let problem = Box::new(Problem::from(&error));
            Error::Plugin { path: plugin.clone(), problem }
        };
        let subject = bench.load(&bytes, &mut show).map_err(refused);
        bar.finish_and_clear();
        let subject = subject?;
        let mut differing = 0;
        for path in &traces {
            let spinner = context.output.spinner(&path.display().to_string());
            let report = self.test(&subject, path);
            spinner.finish_and_clear();
            let report = report?;
            differing += usize::from(!report.same && !report.updated);
            context.output.data(&report, |report| report.readable())?;
            context.output.flush()?;
        }
        if differing == 0 {
            return Ok(());
        }
        let advice = match self.update {
            true => "their results depend on how events are cut into calls, so there is nothing to write",
            false => "`--update` writes what the plugin makes now",
        };
        Err(Error::Found(format!("traces that differ: {differing} of {}; {advice}", traces.len())))
    }

    fn test(&self, subject: &Subject, path: &Path) -> Result<Report, Error> {
        let trace = trace_file::read(path)?;
        let tested = subject.test(&trace, self.cuts).map_err(|error| match error {
            engine::Error::WrongKind { .. } => Error::Usage(format!("{}: {error}", path.display())),
            error => Error::Incomplete(format!("{}: {error}", path.display())),
        })?;
        let mut report = Report::of(path, &trace, &tested, self.limit);
        // What depends on the cut is no result.
        if self.update && tested.cut.is_none() && !tested.differences.is_empty() {
            let lines = tested.trace.lines().fold(String::new(), |text, line| text + &line + "\n");
            trace_file::write(path, &lines)?;
            report.updated = true;
        }
        Ok(report)
    }

    /// The built plugin, and the traces to replay; of a project, its unit tests come first.
    fn found(&self, context: &Context) -> Result<(PathBuf, Vec<PathBuf>), Error> {
        if let Some(plugin) = &self.plugin {
            return match self.paths.is_empty() {
                true => Err(Error::Usage("name the traces to replay against the plugin".to_owned())),
                false => Ok((plugin.clone(), self.paths.clone())),
            };
        }
        let (dir, named) = match self.paths.split_first() {
            Some((first, rest)) if first.is_dir() => (first.as_path(), rest),
            Some(_) | None => (Path::new("."), self.paths.as_slice()),
        };
        let project = Project::open(dir)?;
        let has_tests = named.is_empty() && run_tests(&project, &context.output)?;
        let traces = if named.is_empty() { traces_in(&dir.join("traces")) } else { named.to_vec() };
        if traces.is_empty() {
            let text = format!("{} has no traces; `polyfold plugin record` writes one", dir.join("traces").display());
            if !has_tests {
                return Err(Error::Usage(text));
            }
            context.output.remark(&text);
        }
        let plugin = project.built();
        if !traces.is_empty() && !plugin.is_file() {
            let text = format!("{} is not there; `polyfold plugin build` makes it", plugin.display());
            return Err(Error::Incomplete(text));
        }
        Ok((plugin, traces))
    }
}

/// Traces of a folder, by name.
fn traces_in(folder: &Path) -> Vec<PathBuf> {
    let is_trace = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.ends_with(".trace") || name.ends_with(".trace.gz")
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut traces: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_trace).collect();
    traces.sort();
    traces
}

/// Where compiled code is kept, so that a plugin that did not change starts at once. Nowhere if nobody's home is known.
fn code_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    let cache = caches.join("polyfold").join("code");
    std::fs::create_dir_all(&cache).is_ok().then_some(cache)
}
