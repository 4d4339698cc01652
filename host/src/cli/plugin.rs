//! `plugin`: what is installed.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::error::Error;
use super::output::size;
use super::{Context, catch_up};
use crate::engine::{self, Engine, InstalledPlugin, PLUGIN_BYTES_MAX, Plugin, ProjectionManifest, StateEncoding};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a WebAssembly component and install it. An upcaster is in force at once.
    Install {
        /// The component's file.
        file: PathBuf,
    },
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
}

#[derive(Serialize)]
struct Installed {
    #[serde(flatten)]
    plugin: InstalledPlugin,
    known: bool,
    rebuilt: Vec<String>,
}

#[derive(Serialize)]
struct Details {
    kind: &'static str,
    name: String,
    version: String,
    description: String,
    digest: String,
    abi: String,
    export: String,
    imports: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    views: Vec<View>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct View {
    name: String,
    prefix: String,
    description: String,
}

#[derive(Serialize)]
struct Step {
    event_type: String,
    from: u32,
    to: u32,
    new_event_type: Option<String>,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Install { file } => install(context, file),
            Self::List => list(context),
            Self::Inspect { plugin } => inspect(context, &plugin),
            Self::Remove { plugin } => remove(context, &plugin),
        }
    }
}

fn install(context: &mut Context, file: PathBuf) -> Result<(), Error> {
    let bytes = read_plugin(&file)?;
    let engine = context.engine()?;
    let spinner = context.output.spinner(&format!("compiling {}", file.display()));
    let installed = engine.install(&bytes);
    spinner.finish_and_clear();
    let installed = installed.map_err(|error| Error::Plugin { path: file, error: Box::new(error) })?;
    let installed = Installed { plugin: installed.plugin, known: installed.known, rebuilt: installed.rebuilt };
    context.output.data(&installed, |installed| {
        let plugin = &installed.plugin;
        let how = if installed.known { "was installed before" } else { "installed" };
        format!("{} {}@{} {how}, digest {}", kind(plugin), plugin.name, plugin.version, &plugin.digest[..12])
    })?;
    for projection in engine.projections() {
        let runs = engine.find_plugin(&projection.wanted().plugin);
        if let Ok(runs) = runs
            && runs.name == installed.plugin.name
            && runs.digest != installed.plugin.digest
        {
            let (name, old) = (&projection.name, &runs.version);
            let text = format!("projection {name:?} still runs {}@{old}; delete and create it to move it", runs.name);
            context.output.remark(&text);
        }
    }
    rebuild(&engine, context, &installed.rebuilt)
}

/// Reads a file, but not more of it than a plugin may have.
fn read_plugin(path: &Path) -> Result<Vec<u8>, Error> {
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
    let plugins = context.engine()?.installed_plugins();
    if plugins.is_empty() {
        context.output.remark("no plugins are installed; `polyfold plugin install FILE` installs one");
    }
    for plugin in &plugins {
        context.output.data(plugin, |plugin| {
            let name = format!("{}@{}", plugin.name, plugin.version);
            let (kind, bytes) = (kind(plugin), size(plugin.bytes));
            format!("{name:<24} {kind:<10} {} {bytes:>10}  {}", &plugin.digest[..12], plugin.description)
        })?;
    }
    Ok(())
}

fn inspect(context: &mut Context, reference: &str) -> Result<(), Error> {
    let engine = context.engine()?;
    let path = PathBuf::from(reference);
    let is_file = path.is_file();
    let bytes =
        if is_file { read_plugin(&path)? } else { engine.plugin_bytes(engine.find_plugin(reference)?.digest())? };
    let details = describe(&engine, &bytes).map_err(|error| match is_file {
        true => Error::Plugin { path, error: Box::new(error) },
        false => Error::Engine(error),
    })?;
    context.output.data(&details, readable)
}

fn describe(engine: &Engine, bytes: &[u8]) -> Result<Details, engine::Error> {
    let inspection = engine.inspect(bytes)?;
    let plugin = engine.examine(bytes)?;
    let (kind, name, version, description) = match &plugin {
        Plugin::Projection(projection) => {
            let manifest = projection.manifest();
            ("projection", &manifest.name, &manifest.version, &manifest.description)
        }
        Plugin::Upcaster(upcaster) => {
            let manifest = upcaster.manifest();
            ("upcaster", &manifest.name, &manifest.version, &manifest.description)
        }
    };
    let details = Details {
        kind,
        name: name.to_string(),
        version: version.clone(),
        description: description.clone(),
        digest: plugin.digest().to_string(),
        abi: plugin.abi().to_owned(),
        export: inspection.export,
        imports: inspection.imports,
        event_types: None,
        categories: None,
        state_encoding: None,
        views: Vec::new(),
        steps: Vec::new(),
    };
    Ok(match &plugin {
        Plugin::Projection(projection) => of_projection(details, projection.manifest()),
        Plugin::Upcaster(upcaster) => {
            Details { steps: upcaster.manifest().steps.iter().map(step).collect(), ..details }
        }
    })
}

fn of_projection(details: Details, manifest: &ProjectionManifest) -> Details {
    let view = |view: &engine::View| View {
        name: view.name.clone(),
        prefix: view.prefix.clone(),
        description: view.description.clone(),
    };
    Details {
        event_types: Some(manifest.filter.event_types.iter().cloned().collect()),
        categories: Some(manifest.filter.categories.iter().cloned().collect()),
        state_encoding: Some(match manifest.state_encoding {
            StateEncoding::Cbor => "cbor",
            StateEncoding::Json => "json",
            StateEncoding::Text => "text",
            StateEncoding::Bytes => "bytes",
        }),
        views: manifest.views.iter().map(view).collect(),
        ..details
    }
}

fn step(step: &engine::Step) -> Step {
    Step {
        event_type: step.event_type.to_string(),
        from: step.from.0,
        to: step.from.0 + 1,
        new_event_type: step.new_event_type.as_ref().map(ToString::to_string),
    }
}

fn readable(details: &Details) -> String {
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
    rows.extend(details.state_encoding.map(|encoding| ("state", encoding.to_owned())));
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
    let engine = context.engine()?;
    let (plugin, rebuilt) = engine.remove_plugin(reference)?;
    let removed = Installed { plugin, known: true, rebuilt };
    context.output.data(&removed, |removed| {
        let plugin = &removed.plugin;
        format!("{} {}@{} removed, digest {}", kind(plugin), plugin.name, plugin.version, &plugin.digest[..12])
    })?;
    rebuild(&engine, context, &removed.rebuilt)
}

/// Builds what the change touched.
fn rebuild(engine: &Engine, context: &mut Context, names: &[String]) -> Result<(), Error> {
    for name in names {
        context.output.remark(&format!("projection {name:?} sees other events now and is built anew"));
        let phase = catch_up::one(engine, context, name)?;
        if phase != engine::Phase::Live {
            context.output.warn(&format!("projection {name:?} is {phase}"));
        }
    }
    Ok(())
}

fn kind(plugin: &InstalledPlugin) -> &'static str {
    match plugin.kind {
        engine::PluginKind::Projection => "projection",
        engine::PluginKind::Upcaster => "upcaster",
    }
}
