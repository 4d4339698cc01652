//! `plugin`: what is installed, and the projects of those who write plugins.

mod build;
mod dev;
mod new;
mod over;
mod record;
mod test;
mod trace_file;
mod watch;

use std::io::Read;
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, Subcommand};

use super::client::{Client, Content, segment};
use super::error::Error;
use super::output::size;
use super::project::Project;
use super::{Context, wait};
use crate::engine::PLUGIN_BYTES_MAX;
use crate::server::model::{Compiling, Installed, Plugin, PluginDetails, Projection};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a new plugin's project.
    New(new::New),
    /// Build the plugin of a project.
    Build(build::Build),
    /// Build, install and run the plugin of a project after each change, and show what changes.
    Dev(dev::Dev),
    /// Check a WebAssembly component and install it. An upcaster is in force at once.
    Install(Install),
    /// List installed plugins.
    List,
    /// Show all that a plugin says of itself: imports, events, views, steps.
    Inspect {
        /// An installed plugin (name, name@version, or the start of its digest) or a component's file.
        plugin: String,
    },
    /// Remove a plugin that no projection uses.
    Remove {
        /// Name, name@version, or the start of its digest.
        plugin: String,
    },
    Record(record::Record),
    Test(test::Test),
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The plugin's file, or a project's folder, whose build it takes: a component, or a core module, which is wrapped.
    #[arg(default_value = ".")]
    file: PathBuf,
    /// Install the file again whenever it changes, and let projections that run its plugin go over to it, until
    /// interrupted.
    #[arg(long)]
    watch: bool,
    /// With --watch: upgrade only this projection; may be given several times.
    #[arg(long = "projection", value_name = "NAME", requires = "watch")]
    projections: Vec<String>,
}

impl Install {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let file = if self.file.is_dir() { Project::open(&self.file)?.built() } else { self.file };
        match self.watch {
            true => watch::run(context, &file, &self.projections),
            false => run_install(context, &file),
        }
    }
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::New(new) => new.run(context),
            Self::Build(build) => build.run(context),
            Self::Dev(dev) => dev.run(context),
            Self::Install(install) => install.run(context),
            Self::List => list(context),
            Self::Inspect { plugin } => inspect(context, &plugin),
            Self::Remove { plugin } => remove(context, &plugin),
            Self::Record(record) => record.run(context),
            Self::Test(test) => test.run(context),
        }
    }
}

fn run_install(context: &mut Context, file: &Path) -> Result<(), Error> {
    let bytes = read_plugin(file)?;
    let mut client = context.connect()?;
    let installed = install(&mut client, context, file, bytes)?;
    context.output.data(&installed, |installed| {
        let plugin = &installed.plugin;
        let how = if installed.known { "was installed before" } else { "installed" };
        format!("{} {}@{} {how}, digest {}", plugin.kind, plugin.name, plugin.version, &plugin.digest[..12])
    })?;
    for projection in client.get::<Vec<Projection>>("/projections")? {
        let runs = &projection.building.as_ref().unwrap_or(&projection.readable);
        let has_name = runs.plugin.split_once('@').is_some_and(|(name, _)| name == installed.plugin.name);
        if has_name && runs.plugin_digest != installed.plugin.digest {
            let (name, old) = (&projection.name, &runs.plugin);
            let text =
                format!("projection {name:?} still runs {old}; `polyfold projection upgrade {name}` builds it anew");
            context.output.remark(&text);
        }
    }
    rebuild(&mut client, context, &installed.rebuilt)
}

/// Installs what a file holds, under a bar that counts compiled functions.
fn install(client: &mut Client, context: &Context, file: &Path, bytes: Vec<u8>) -> Result<Installed, Error> {
    let bar = context.output.functions_bar(&format!("compiling {}", file.display()));
    let show = |now: &Compiling| {
        bar.set_length(now.functions_total);
        bar.set_position(now.functions);
    };
    let installed = client.work_on("/plugins", Content::Component(bytes), show);
    bar.finish_and_clear();
    installed.map_err(|error| of_file(file, error))
}

/// Names the file that the API refused.
fn of_file(file: &Path, error: Error) -> Error {
    match error {
        Error::Problem(problem) => Error::Plugin { path: file.to_owned(), problem },
        error => error.advised("install it again: nothing is installed twice"),
    }
}

/// Reads a file, but not more of it than a plugin may have.
pub(super) fn read_plugin(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(PLUGIN_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > PLUGIN_BYTES_MAX {
            let why = format!("larger than a plugin may be, {}", size(PLUGIN_BYTES_MAX as u64));
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why));
        }
        Ok(bytes)
    };
    read().map_err(|source| Error::File { path: path.to_owned(), source })
}

fn list(context: &mut Context) -> Result<(), Error> {
    let plugins: Vec<Plugin> = context.connect()?.get("/plugins")?;
    if plugins.is_empty() {
        context.output.remark("no plugins are installed; `polyfold plugin install FILE` installs one");
    }
    for plugin in &plugins {
        context.output.data(plugin, |plugin| {
            let name = format!("{}@{}", plugin.name, plugin.version);
            let (kind, bytes) = (&plugin.kind, size(plugin.bytes));
            format!("{name:<24} {kind:<10} {} {bytes:>10}  {}", &plugin.digest[..12], plugin.description)
        })?;
    }
    Ok(())
}

fn inspect(context: &mut Context, reference: &str) -> Result<(), Error> {
    let path = Path::new(reference);
    let details = if path.is_file() {
        let content = Content::Component(read_plugin(path)?);
        let inspected = context.connect()?.ask(Method::POST, "/plugins/inspect", content);
        inspected.map_err(|error| of_file(path, error))?
    } else {
        context.connect()?.get(&format!("/plugins/{}", segment(reference)))?
    };
    context.output.data(&details, readable)
}

fn readable(details: &PluginDetails) -> String {
    let list = |names: &[String], none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    let mut rows = vec![
        ("plugin", format!("{}@{}, {}", details.name, details.version, details.kind)),
        ("makes", details.description.clone()),
        ("digest", details.digest.clone()),
        ("ABI", format!("{}, exported as {}", details.abi, details.export)),
        ("imports", list(&details.imports, "nothing")),
    ];
    rows.extend(details.event_types.as_ref().map(|types| ("events", list(types, "every type"))));
    rows.extend(details.categories.as_ref().map(|categories| ("categories", list(categories, "every category"))));
    rows.extend(details.state_encoding.clone().map(|encoding| ("state", encoding)));
    rows.extend(
        details.views.iter().map(|view| ("view", format!("{} ({}…): {}", view.name, view.prefix, view.description))),
    );
    rows.extend(details.steps.iter().map(|step| {
        let renamed = step.new_event_type.as_ref().map_or_else(String::new, |name| format!(" as {name}"));
        ("step", format!("{} from schema version {} to {}{renamed}", step.event_type, step.from, step.to))
    }));
    rows.iter().map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
}

fn remove(context: &mut Context, reference: &str) -> Result<(), Error> {
    let mut client = context.connect()?;
    let path = format!("/plugins/{}", segment(reference));
    let removed: Installed = client.ask(Method::DELETE, &path, Content::Nothing)?;
    context.output.data(&removed, |removed| {
        let plugin = &removed.plugin;
        format!("{} {}@{} removed, digest {}", plugin.kind, plugin.name, plugin.version, &plugin.digest[..12])
    })?;
    rebuild(&mut client, context, &removed.rebuilt)
}

/// Builds what the change touched.
fn rebuild(client: &mut Client, context: &mut Context, names: &[String]) -> Result<(), Error> {
    for name in names {
        context.output.remark(&format!("projection {name:?} sees other events now and is built anew"));
        let projection = wait::for_one(client, context, name)?;
        wait::warn_of(context, name, &projection);
    }
    Ok(())
}
