//! The command line: words, exit codes and progress bars. What it does is the engine's.

mod append;
mod archive;
mod backup;
mod client;
mod config;
mod erasure;
mod error;
mod export;
mod import;
mod keys;
mod log;
mod output;
mod plugin;
mod project;
mod projection;
mod read;
mod receipt;
mod registry;
mod restore;
mod retention;
mod selection;
mod serve;
mod settings;
mod tail;
mod token;
mod toml;
mod trust;
mod wait;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::engine::Options;
use client::Client;
use error::Error;
use output::Output;
use settings::{Common, LogFormat, Service, Settings};

/// A host for projections: an append-only event log, and WebAssembly plugins that fold it into state.
///
/// Append or import events, install plugins, create projections, and query what they made. All data lies in one
/// directory, which is made on first use.
#[derive(Debug, Parser)]
#[command(name = "polyfold", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    common: Common,

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
5 damage or a difference was found; 6 the data directory is in use; 7 a build needs what is not on this machine.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host of the data directory, which every other command then talks to.
    Serve(serve::Serve),
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
    /// Back up a data directory, check and list backups.
    Backup(backup::Backup),
    /// Make a data directory of a backup, as it was at its end or at a time.
    Restore(restore::Restore),
    /// Forget an encrypted stream.
    Forget(erasure::Forget),
    /// Redact events: drop their payloads from the log and everything made of them.
    Redact(erasure::Redact),
    /// List, export and import the keys of encrypted streams.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Write, build, install, inspect and remove plugins.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Create, query and check projections.
    #[command(subcommand)]
    Projection(projection::Command),
    /// Show and check the event log.
    #[command(subcommand)]
    Log(log::Command),
    /// Show what the log keeps of payloads, and drop what it need not keep.
    #[command(subcommand)]
    Retention(retention::Command),
    /// List, check and read the archive of what retention dropped, or put it back.
    #[command(subcommand)]
    Archive(archive::Command),
    /// Check receipts and proofs, and show the key that signs those of this host.
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Make, list and revoke tokens for clients on other machines.
    #[command(subcommand)]
    Token(token::Command),
    /// Say whose plugins are trusted, and whether only those may be installed and run.
    #[command(subcommand)]
    Trust(trust::Command),
    /// Show every setting, its value, and where it comes from.
    Config(config::Config),
    /// Print a completion script for a shell.
    Completions {
        /// The shell to write for.
        shell: clap_complete::Shell,
    },
}

/// What every command is handed.
struct Context {
    settings: Settings,
    options: Options,
    output: Output,
}

impl Context {
    /// A way to the API of this data directory.
    fn connect(&self) -> Result<Client, Error> {
        Client::connect(&self.settings.data_dir, &self.options)
    }

    /// The same to check receipts alone, which changes nothing in the directory.
    fn connect_to_check(&self) -> Result<Client, Error> {
        Client::connect_to_check(&self.settings.data_dir, &self.options)
    }
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let typed = Arguments::command().get_matches();
    refuse_empty(&Arguments::command(), &typed);
    let arguments = Arguments::from_arg_matches(&typed).unwrap_or_else(|error| error.exit());
    let mut output = Output::new(arguments.json, arguments.quiet);
    let service = match &arguments.command {
        Command::Serve(serve) => serve.service.clone(),
        Command::Config(config) => config.service.clone(),
        _ => Service::default(),
    };
    let typed = typed.subcommand().map_or(&typed, |(_, typed)| typed);
    let settings = match Settings::gather(arguments.common, service, typed) {
        Ok(settings) => settings,
        Err(error) => return output.fail(&error),
    };
    start_logging(&settings, matches!(arguments.command, Command::Serve(_)));
    // A panic below is either caught, and becomes an error that names what is damaged, or ends up here.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let (lock_wait, require_signature) = (settings.lock_wait, settings.require_signature);
    let (retention, encrypt) = (settings.retention.clone(), settings.encrypt.clone());
    let options = Options { lock_wait, require_signature, retention, encrypt, ..Options::default() };
    let mut context = Context { settings, options, output };
    let work = || run(arguments.command, &mut context).and_then(|()| context.output.flush());
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(Error::Panic));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => context.output.fail(&error),
    }
}

/// Nothing that is named has an empty name.
fn refuse_empty(command: &clap::Command, typed: &clap::ArgMatches) {
    for argument in command.get_positionals() {
        let values = typed.get_raw(argument.get_id().as_str()).into_iter().flatten();
        if values.into_iter().any(std::ffi::OsStr::is_empty) {
            let name = argument.get_value_names().and_then(|names| names.first()).map_or("it", |name| name.as_str());
            let why = format!("{name} is empty; nothing has an empty name");
            Arguments::command().error(clap::error::ErrorKind::InvalidValue, why).exit();
        }
    }
    if let Some((name, typed)) = typed.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        refuse_empty(command, typed);
    }
}

fn run(command: Command, context: &mut Context) -> Result<(), Error> {
    match command {
        Command::Serve(serve) => serve.run(context),
        Command::Append(append) => append.run(context),
        Command::Import(import) => import.run(context),
        Command::Read(read) => read.run(context),
        Command::Tail(tail) => tail.run(context),
        Command::Export(export) => export.run(context),
        Command::Backup(backup) => backup.run(context),
        Command::Restore(restore) => restore.run(context),
        Command::Forget(forget) => forget.run(context),
        Command::Redact(redact) => redact.run(context),
        Command::Keys(command) => command.run(context),
        Command::Plugin(command) => command.run(context),
        Command::Projection(command) => command.run(context),
        Command::Log(command) => command.run(context),
        Command::Retention(command) => command.run(context),
        Command::Archive(command) => command.run(context),
        Command::Receipt(command) => command.run(context),
        Command::Token(command) => command.run(context),
        Command::Trust(command) => command.run(context),
        Command::Config(config) => config.run(context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "polyfold", &mut script);
            context.output.write(&script)
        }
    }
}

/// The commands say themselves what matters, so only a host logs unasked; but that files were lost nobody else says.
fn start_logging(settings: &Settings, is_host: bool) {
    let default = if is_host { "info" } else { "off,polyfold::engine::states=warn" };
    let filter = settings.log.as_deref().unwrap_or(default);
    let filter = tracing_subscriber::EnvFilter::try_new(filter);
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Where the log cannot be written, saying so there cannot be either, and trying would end the process.
    let log = log.log_internal_errors(false);
    match settings.log_format {
        LogFormat::Human => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
