//! `plugin`: what is installed, and the projects of those who write plugins.

mod build;
mod dev;
mod inspect;
mod install;
mod new;
mod origin;
mod over;
mod record;
mod test;
mod trace_file;
mod watch;

use std::io::Read;
use std::path::Path;

use axum::http::Method;
use clap::Subcommand;

use super::client::{Client, Content, segment};
use super::error::Error;
use super::output::size;
use super::project::Project;
use super::{Context, wait};
use crate::engine::PLUGIN_BYTES_MAX;
use crate::server::model::{Compiling, Installed, Plugin, Projection};
use install::{Upload, install};
pub(in crate::cli) use origin::signer;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a new plugin's project.
    New(new::New),
    /// Build the plugin of a project.
    Build(build::Build),
    /// Build, install and run the plugin of a project after each change, and show what changes.
    Dev(dev::Dev),
    /// Check a WebAssembly component and its signature, and install it. An upcaster is in force at once.
    Install(install::Install),
    /// List installed plugins.
    List,
    /// Show all that a plugin says of itself, and what is in its file: imports, code, memory, tools, licence.
    Inspect(inspect::Inspect),
    /// Put a plugin's file into an OCI registry.
    Push(install::Push),
    /// Remove a plugin that no projection uses.
    Remove {
        /// Name, name@version, or the start of its digest.
        plugin: String,
    },
    Record(record::Record),
    Test(test::Test),
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::New(new) => new.run(context),
            Self::Build(build) => build.run(context),
            Self::Dev(dev) => dev.run(context),
            Self::Install(install) => install.run(context),
            Self::List => list(context),
            Self::Inspect(inspect) => inspect.run(context),
            Self::Push(push) => push.run(context),
            Self::Remove { plugin } => remove(context, &plugin),
            Self::Record(record) => record.run(context),
            Self::Test(test) => test.run(context),
        }
    }
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
            let (digest, signer) = (&plugin.digest[..12], signer(plugin.signature.as_ref()));
            format!("{name:<24} {kind:<10} {digest} {bytes:>10}  {signer:<16}  {}", plugin.description)
        })?;
    }
    Ok(())
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
