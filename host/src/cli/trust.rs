//! `trust`: whose plugins are trusted, and whether only those may be installed and run.

use std::path::Path;

use axum::http::Method;
use clap::{Args, Subcommand};

use super::Context;
use super::client::{Content, segment};
use super::error::{Error, named};
use super::plugin::signer;
use crate::engine::read_small;
use crate::server::model::{NewPublisher, Plugin, Publisher, Requirement, Standing, Trust};

/// A file with a key has two lines.
const KEY_BYTES_MAX: u64 = 1 << 10;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Trust a publisher from now on.
    Add(Add),
    /// List the publishers that are trusted.
    List,
    /// Trust a publisher no longer. What they signed stays installed.
    Remove {
        /// The publisher's name, which `list` shows.
        name: String,
    },
    /// Set whether only plugins that a trusted publisher signed may be installed and run; show it without a word.
    Require { switch: Option<Switch> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What to call the publisher.
    name: String,

    /// A minisign public key (RW…), or the file that holds it.
    key: String,

    /// Count no signature that is checked later: an RFC 3339 time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Let the key count for this plugin only; may be repeated.
    #[arg(long = "plugin", value_name = "NAME")]
    plugins: Vec<String>,

    /// Whatever should be remembered with it.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::Add(add) => add.run(context),
            Self::List => list(context),
            Self::Remove { name } => remove(context, &name),
            Self::Require { switch } => require(context, switch),
        }
    }
}

impl Add {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let Self { name, key, until, plugins, comment } = self;
        let key = if Path::new(&key).exists() { read_key(Path::new(&key))? } else { key };
        let new = NewPublisher { name, key, until, plugins, comment };
        let publisher: Publisher = context.connect()?.post("/trust/publishers", &new)?;
        context.output.data(&publisher, |publisher| {
            format!("publisher {:?} is trusted, key {}{}", publisher.name, publisher.key_id, bounds(publisher))
        })
    }
}

fn read_key(path: &Path) -> Result<String, Error> {
    read_small(path, KEY_BYTES_MAX)
        .map_err(|error| Error::Usage(format!("{} holds no minisign public key: {error}", named(path))))
}

/// What a publisher is trusted for, if that is not everything.
fn bounds(publisher: &Publisher) -> String {
    let until = publisher.until.as_ref().map_or_else(String::new, |until| format!(", until {until}"));
    let plugins = &publisher.plugins;
    let plugins = if plugins.is_empty() { String::new() } else { format!(", for {} alone", plugins.join(", ")) };
    until + &plugins
}

fn list(context: &mut Context) -> Result<(), Error> {
    let trust: Trust = context.connect()?.get("/trust")?;
    context.output.remark(required(&trust));
    if trust.publishers.is_empty() {
        context.output.remark("nobody is trusted; `polyfold trust add NAME KEY` trusts a publisher");
    }
    for publisher in &trust.publishers {
        context.output.data(publisher, |publisher| {
            let comment = publisher.comment.as_ref().map_or_else(String::new, |comment| format!("  {comment}"));
            format!("{:<24} {} {}{}{comment}", publisher.name, publisher.key_id, publisher.key, bounds(publisher))
        })?;
    }
    Ok(())
}

fn remove(context: &mut Context, name: &str) -> Result<(), Error> {
    let mut client = context.connect()?;
    let path = format!("/trust/publishers/{}", segment(name));
    let removed: Publisher = client.ask(Method::DELETE, &path, Content::Nothing)?;
    context.output.data(&removed, |removed| {
        format!("publisher {:?} is no longer trusted, key {}", removed.name, removed.key_id)
    })?;
    let trust: Trust = client.get("/trust")?;
    for other in trust.publishers.iter().filter(|other| other.key == removed.key) {
        let text = format!("the same key still counts as that of publisher {:?}; remove that one too", other.name);
        context.output.warn(&text);
    }
    for plugin in client.get::<Vec<Plugin>>("/plugins")? {
        let signature = plugin.signature.as_ref();
        if signature.is_some_and(|signature| signature.standing == Standing::NoLongerTrusted) {
            let (name, version) = (&plugin.name, &plugin.version);
            context.output.remark(&format!("plugin {name}@{version} stays installed, {}", signer(signature)));
        }
    }
    Ok(())
}

fn require(context: &mut Context, switch: Option<Switch>) -> Result<(), Error> {
    let mut client = context.connect()?;
    let trust: Trust = match switch {
        Some(switch) => client.post("/trust", &Requirement { require_signature: switch == Switch::On })?,
        None => client.get("/trust")?,
    };
    context.output.data(&trust, |trust| required(trust).to_owned())?;
    let plugins: Vec<Plugin> = if trust.require_signature { client.get("/plugins")? } else { Vec::new() };
    for plugin in plugins {
        let signature = plugin.signature.as_ref();
        if signature.is_none_or(|signature| signature.standing != Standing::Trusted) {
            let (name, version) = (&plugin.name, &plugin.version);
            context.output.warn(&format!("plugin {name}@{version} is {}: it does not start again", signer(signature)));
        }
    }
    Ok(())
}

fn required(trust: &Trust) -> &'static str {
    match (trust.require_signature, trust.is_forced) {
        (true, true) => "a trusted publisher's signature is required, as the host was started",
        (true, false) => "a trusted publisher's signature is required",
        (false, _) => "no signature is required",
    }
}
