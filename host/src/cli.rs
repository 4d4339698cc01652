//! The command line: words, exit codes and progress bars. What it does is the engine's.

mod append;
mod catch_up;
mod error;
mod export;
mod import;
mod log;
mod output;
mod plugin;
mod projection;
mod read;
mod select;
mod tail;
mod value;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

use crate::engine::{Engine, Options};
use error::Error;
use output::Output;

/// A host for projections: an append-only event log, and WebAssembly plugins that fold it into state.
///
/// Append or import events, install plugins, create projections, and query what they made. All data lies in one
/// directory, which is made on first use.
#[derive(Debug, Parser)]
#[command(name = "polyfold", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Arguments {
    /// The directory that holds log, plugins and states.
    #[arg(long, global = true, env = "POLYFOLD_DATA_DIR", default_value = "polyfold-data", value_name = "DIR")]
    data_dir: PathBuf,

    /// How long to wait for another process to let go of the data directory.
    #[arg(long, global = true, default_value = "10", value_name = "SECONDS")]
    lock_wait: u64,

    /// Print data as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,

    /// Print no progress and no remarks, only data and errors.
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such plugin, projection or key; 4 the events or plugin were refused; \
5 damage or a difference was found; 6 the data directory is in use.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Append one event.
    Append(append::Append),
    /// Import events from NDJSON, gzip or not: polyfold's own form or CloudEvents 1.0.
    Import(import::Import),
    /// Print events.
    Read(read::Read),
    /// Print the newest events, and those to come.
    Tail(tail::Tail),
    /// Write events as NDJSON, in the form that `import` takes.
    Export(export::Export),
    /// Install, list, inspect and remove plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Create, query and check projections.
    #[command(subcommand)]
    Projection(projection::Command),
    /// Show and check the event log.
    #[command(subcommand)]
    Log(log::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell to write for.
        shell: clap_complete::Shell,
    },
}

/// What every command is handed.
struct Context {
    data_dir: PathBuf,
    options: Options,
    output: Output,
}

impl Context {
    fn engine(&self) -> Result<Engine, Error> {
        Ok(Engine::open(&self.data_dir, &self.options)?)
    }
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    start_logging();
    // A panic below is either caught, and becomes an error that names what is damaged, or ends up here.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let arguments = Arguments::parse();
    let mut context = Context {
        data_dir: arguments.data_dir,
        options: Options { lock_wait: Duration::from_secs(arguments.lock_wait), ..Options::default() },
        output: Output::new(arguments.json, arguments.quiet),
    };
    let work = || run(arguments.command, &mut context).and_then(|()| context.output.flush());
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(Error::Panic));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => context.output.fail(&error),
    }
}

fn run(command: Command, context: &mut Context) -> Result<(), Error> {
    match command {
        Command::Append(append) => append.run(context),
        Command::Import(import) => import.run(context),
        Command::Read(read) => read.run(context),
        Command::Tail(tail) => tail.run(context),
        Command::Export(export) => export.run(context),
        Command::Plugin(command) => command.run(context),
        Command::Projection(command) => command.run(context),
        Command::Log(command) => command.run(context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "polyfold", &mut script);
            context.output.write(&script)
        }
    }
}

/// The commands say themselves what matters; POLYFOLD_LOG=warn or debug shows what happens inside.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("POLYFOLD_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
