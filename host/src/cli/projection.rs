//! `projection`: what runs, and what it made.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::error::Error;
use super::output::{count, show, size};
use super::value::{Shown, shown};
use super::{Context, catch_up};
use crate::engine::{self, Difference, Engine, Fault, FaultPolicy, NewProjection, Phase, Status, Verification};
use crate::event::PluginName;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a projection and build its state.
    Create(Create),
    /// List projections.
    List,
    /// Show how far projections are, and what holds them up.
    Status {
        /// Only this projection.
        name: Option<String>,
    },
    /// Print the value of a key, after the projection has caught up.
    Get {
        name: String,
        key: String,
        #[command(flatten)]
        reading: Reading,
    },
    /// Print entries in key order, after the projection has caught up.
    Scan(Scan),
    /// List the events on which the projection failed.
    Faults { name: String },
    /// Build the state anew beside the one that serves, then switch.
    Rebuild { name: String },
    /// Build the state anew with other batch sizes and compare it with the one that serves.
    Verify { name: String },
    /// Delete a projection and its states. Events and plugins stay.
    Delete { name: String },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The projection's name: 1 to 64 of a-z, 0-9 and -.
    name: PluginName,
    /// The plugin that it runs: name, name@version, or the start of its digest. Its own name if left out.
    #[arg(long)]
    plugin: Option<String>,
    /// A JSON object that the plugin can read.
    #[arg(long, default_value = "{}")]
    parameters: String,
    /// What to do with an event on which the plugin fails.
    #[arg(long, value_enum, default_value = "halt")]
    on_fault: OnFault,
    /// Fuel for one event; default 1,000,000,000.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    fuel_per_event: Option<u64>,
    /// Memory of an instance in bytes; default 268,435,456.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    memory_bytes: Option<u64>,
    /// Only create it; the next command that needs its state builds it.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnFault {
    /// Stop before the event and keep serving what is there.
    Halt,
    /// Record the fault and go on.
    Skip,
}

#[derive(Debug, Args)]
pub(super) struct Reading {
    /// Read the state as it is, without waiting for it to catch up.
    #[arg(long)]
    stale: bool,
}

#[derive(Debug, Args)]
pub(super) struct Scan {
    name: String,
    /// Only keys that start with this.
    #[arg(long, default_value = "", conflicts_with = "view")]
    prefix: String,
    /// Only keys of this view; `plugin inspect` lists a plugin's views.
    #[arg(long)]
    view: Option<String>,
    /// Start behind this key.
    #[arg(long)]
    after: Option<String>,
    /// Stop after so many entries.
    #[arg(long, default_value = "1000")]
    limit: usize,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    value: Shown,
}

#[derive(Serialize)]
struct Row {
    name: String,
    plugin: String,
    identity: String,
    building: Option<String>,
    on_fault: &'static str,
    parameters: String,
    phase: String,
    checkpoint: u64,
    head: u64,
    lag: u64,
    events: u64,
    fuel: u64,
    faults: usize,
    entries: u64,
    file_bytes: u64,
}

#[derive(Serialize)]
struct Verified {
    projection: String,
    sequence: u64,
    entries: u64,
    digest: String,
    rebuilt_digest: String,
    same: bool,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let engine = context.engine()?;
        match self {
            Self::Create(create) => create.run(&engine, context),
            Self::List => list(&engine, context),
            Self::Status { name } => status(&engine, context, name.as_deref()),
            Self::Get { name, key, reading } => get(&engine, context, &name, &key, &reading),
            Self::Scan(scan) => scan.run(&engine, context),
            Self::Faults { name } => faults(&engine, context, &name),
            Self::Rebuild { name } => rebuild(&engine, context, &name),
            Self::Verify { name } => verify(&engine, context, &name),
            Self::Delete { name } => {
                engine.delete(&name)?;
                context.output.remark(&format!("projection {name:?} deleted"));
                Ok(())
            }
        }
    }
}

impl Create {
    fn run(self, engine: &Engine, context: &mut Context) -> Result<(), Error> {
        let name = self.name.to_string();
        engine.create(&NewProjection {
            plugin: self.plugin.unwrap_or_else(|| name.clone()),
            name: self.name,
            parameters: self.parameters,
            on_fault: match self.on_fault {
                OnFault::Halt => FaultPolicy::Halt,
                OnFault::Skip => FaultPolicy::Skip,
            },
            fuel_per_event: self.fuel_per_event,
            memory_bytes: self.memory_bytes,
        })?;
        let phase = if self.no_wait { Phase::Stopped } else { catch_up::one(engine, context, &name)? };
        print_short(engine, context, &name)?;
        match phase {
            Phase::Live | Phase::Stopped => Ok(()),
            phase => Err(Error::Incomplete(format!("projection {name:?} was created, but is {phase}"))),
        }
    }
}

impl Scan {
    fn run(self, engine: &Engine, context: &mut Context) -> Result<(), Error> {
        let name = &self.name;
        prepare(engine, context, name, &self.reading)?;
        let manifest = engine.manifest(name)?;
        let prefix = match &self.view {
            None => self.prefix.clone(),
            Some(view) => match manifest.views.iter().find(|found| found.name == *view) {
                Some(found) => found.prefix.clone(),
                None => {
                    let views: Vec<_> = manifest.views.iter().map(|view| view.name.as_str()).collect();
                    let views = if views.is_empty() { "none".to_owned() } else { views.join(", ") };
                    let (name, view) = (name.clone(), view.clone());
                    return Err(engine::Error::UnknownView { name, view, views }.into());
                }
            },
        };
        let reader = engine.reader(name)?;
        // One more than asked for tells whether there are more.
        let entries = reader.scan(&prefix, self.after.as_deref(), self.limit.saturating_add(1));
        let entries = entries.map_err(engine::Error::from)?;
        for (key, value) in entries.iter().take(self.limit) {
            let entry = Entry { key, value: shown(value, manifest.state_encoding) };
            context.output.data(&entry, |entry| format!("{}\t{}", entry.key, entry.value.text()))?;
        }
        if entries.len() > self.limit {
            context.output.remark(&format!("there are more; --limit says how many to print (now {})", self.limit));
        }
        Ok(())
    }
}

/// Lets the state catch up before it is read. What cannot is read as it is, with a warning.
fn prepare(engine: &Engine, context: &mut Context, name: &str, reading: &Reading) -> Result<(), Error> {
    if reading.stale {
        return Ok(());
    }
    let phase = catch_up::one(engine, context, name)?;
    if phase != Phase::Live {
        let checkpoint = engine.status(name)?.checkpoint.sequence;
        context.output.warn(&format!("projection {name:?} is {phase}; this is its state at sequence {checkpoint}"));
    }
    Ok(())
}

fn get(engine: &Engine, context: &mut Context, name: &str, key: &str, reading: &Reading) -> Result<(), Error> {
    prepare(engine, context, name, reading)?;
    let encoding = engine.manifest(name)?.state_encoding;
    match engine.reader(name)?.get(key).map_err(engine::Error::from)? {
        Some(value) => {
            let entry = Entry { key, value: shown(&value, encoding) };
            context.output.data(&entry, |entry| entry.value.text())
        }
        None => Err(Error::NoEntry { projection: name.to_owned(), key: key.to_owned() }),
    }
}

fn list(engine: &Engine, context: &mut Context) -> Result<(), Error> {
    let projections = engine.projections();
    if projections.is_empty() {
        context.output.remark("there are no projections; `polyfold projection create NAME --plugin PLUGIN` makes one");
    }
    for projection in projections {
        let row = row(engine, &engine.status(&projection.name)?);
        context.output.data(&row, |row| {
            format!("{:<24} {:<24} {}, checkpoint {}", row.name, row.plugin, row.phase, count(row.checkpoint))
        })?;
    }
    Ok(())
}

fn status(engine: &Engine, context: &mut Context, name: Option<&str>) -> Result<(), Error> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => engine.projections().into_iter().map(|projection| projection.name).collect(),
    };
    for name in names {
        let status = engine.status(&name)?;
        print_row(context, &row(engine, &status))?;
    }
    Ok(())
}

/// The short form, after something was done with a projection.
fn print_short(engine: &Engine, context: &mut Context, name: &str) -> Result<(), Error> {
    let row = row(engine, &engine.status(name)?);
    context.output.data(&row, |row| {
        let (entries, checkpoint) = (count(row.entries), count(row.checkpoint));
        format!("projection {}: {entries} entries at sequence {checkpoint}, {}", row.name, row.phase)
    })
}

fn row(engine: &Engine, status: &Status) -> Row {
    let deployment = status.projection.readable();
    let plugins = engine.installed_plugins();
    let plugin = plugins.iter().find(|plugin| plugin.digest == deployment.plugin);
    let plugin =
        plugin.map_or_else(|| deployment.plugin.clone(), |plugin| format!("{}@{}", plugin.name, plugin.version));
    let lag = status.head.0.saturating_sub(status.checkpoint.sequence.0);
    let building = status.projection.building.as_ref().map(|building| building.identity());
    Row {
        name: status.projection.name.clone(),
        plugin,
        identity: deployment.identity().to_string(),
        building: building.filter(|identity| *identity != deployment.identity()).map(|identity| identity.to_string()),
        on_fault: deployment.on_fault.as_str(),
        parameters: deployment.parameters.clone(),
        phase: match status.phase {
            // No command runs projections after it has ended; what has caught up will follow the next append.
            Phase::Stopped if lag == 0 => "caught up".to_owned(),
            Phase::Stopped => "behind".to_owned(),
            ref phase => phase.to_string(),
        },
        checkpoint: status.checkpoint.sequence.0,
        head: status.head.0,
        lag,
        events: status.checkpoint.events,
        fuel: status.checkpoint.fuel,
        faults: status.faults,
        entries: status.size.entries,
        file_bytes: status.size.file_bytes,
    }
}

fn print_row(context: &mut Context, row: &Row) -> Result<(), Error> {
    context.output.data(row, |row| {
        let rows = [
            ("projection", row.name.clone()),
            ("plugin", row.plugin.clone()),
            ("identity", row.identity.clone()),
            ("building", row.building.clone().unwrap_or_else(|| "-".to_owned())),
            ("parameters", row.parameters.clone()),
            ("state", row.phase.clone()),
            ("checkpoint", format!("{} of {}, {} behind", count(row.checkpoint), count(row.head), count(row.lag))),
            ("events", format!("{} folded, {} fuel", count(row.events), count(row.fuel))),
            ("faults", format!("{}, on fault {}", count(row.faults as u64), row.on_fault)),
            ("entries", format!("{}, file {}", count(row.entries), size(row.file_bytes))),
        ];
        rows.map(|(name, value)| format!("{name:<11} {value}")).join("\n")
    })
}

fn faults(engine: &Engine, context: &mut Context, name: &str) -> Result<(), Error> {
    let faults = engine.faults(name)?;
    if faults.is_empty() {
        context.output.remark(&format!("projection {name:?} has no faults"));
    }
    for fault in &faults {
        context.output.data(fault, |fault| {
            let Fault { sequence, stream, event_type, schema_version, plugin, kind, message, backtrace, output } =
                fault;
            let head = format!("sequence {sequence}  {stream}  {event_type} v{schema_version}  {kind}: {message}");
            let indented = |name: &str, text: &str| match text.trim_end() {
                "" => String::new(),
                text => format!("\n  {name}:\n    {}", text.replace('\n', "\n    ")),
            };
            let backtrace = indented("backtrace", backtrace.as_deref().unwrap_or(""));
            format!("{head}\n  plugin: {plugin}{}{backtrace}", indented("output", output))
        })?;
    }
    Ok(())
}

fn rebuild(engine: &Engine, context: &mut Context, name: &str) -> Result<(), Error> {
    let head = engine.head().sequence();
    let bar = context.output.events_bar(name, head.0);
    let watched = bar.clone();
    let progress = engine.rebuild(name, move |progress| show(&watched, progress, head));
    bar.finish_and_clear();
    let progress = progress?;
    if progress.phase == Phase::Live {
        // It runs again, and is at the end of the log as soon as it has looked.
        engine.wait(name, |_| {})?;
    }
    print_short(engine, context, name)?;
    match progress.phase {
        Phase::Live => Ok(()),
        phase => Err(Error::Incomplete(format!("projection {name:?} is {phase}"))),
    }
}

fn verify(engine: &Engine, context: &mut Context, name: &str) -> Result<(), Error> {
    catch_up::one(engine, context, name)?;
    let head = engine.head().sequence();
    let bar = context.output.events_bar(name, head.0);
    let watched = bar.clone();
    let verification = engine.verify(name, move |progress| show(&watched, progress, head));
    bar.finish_and_clear();
    let Verification { sequence, entries, live, rebuilt, difference } = verification?;
    let verified = Verified {
        projection: name.to_owned(),
        sequence: sequence.0,
        entries,
        digest: live.to_string(),
        rebuilt_digest: rebuilt.to_string(),
        same: difference.is_none(),
    };
    context.output.data(&verified, |verified| match verified.same {
        true => format!(
            "projection {:?} is sound: {} entries at sequence {}, rebuilt with other batch sizes to the same digest {}",
            verified.projection,
            count(verified.entries),
            count(verified.sequence),
            verified.digest
        ),
        false => format!("digest {}, rebuilt {}", verified.digest, verified.rebuilt_digest),
    })?;
    let Some(difference) = difference else { return Ok(()) };
    let encoding = engine.manifest(name)?.state_encoding;
    let value = |value: Option<Vec<u8>>| value.map_or("nothing".to_owned(), |value| shown(&value, encoding).text());
    let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let what = match difference {
        Difference::Entry { key, live, rebuilt } => {
            format!("the first entry that differs is {key:?}: it has {}, rebuilt {}", value(live), value(rebuilt))
        }
        Difference::Stopped { sequence, reason } => format!("the rebuild came to sequence {sequence} only: {reason}"),
        Difference::Fault { sequence, live, rebuilt } => {
            format!("the faults differ at sequence {sequence}: it has {}, rebuilt {}", text(live), text(rebuilt))
        }
    };
    Err(Error::Found(format!(
        "projection {name:?} is not deterministic, or its state was changed: {what}; \
         if a rebuild does not mend it, its plugin depends on something other than the events"
    )))
}
