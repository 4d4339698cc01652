//! `projection get` and `projection scan`: what a state holds.

use clap::Args;
use serde::de::DeserializeOwned;

use super::{Client, Context, Error, wait};
use crate::cli::client::{Query, segment, segments};
use crate::cli::output::{count, show};
use crate::engine::Moment;
use crate::event::{Sequence, Timestamp};
use crate::server::model::{AsOf, Entry, PluginDetails, Projection, StatePage};
use crate::server::problem::Code;

#[derive(Debug, Args)]
struct Reading {
    /// Read the state as it is, without waiting for it to catch up.
    #[arg(long, conflicts_with_all = ["as_of", "as_of_occurred", "identity"])]
    stale: bool,
    #[command(flatten)]
    past: Past,
}

/// Which of a projection's states over time is read.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Past {
    /// Read the state as it was behind this event of the log, or behind the last one recorded by this RFC 3339 time.
    #[arg(long, value_name = "SEQUENCE|TIME")]
    as_of: Option<Moment>,
    /// Read the state made only of what had occurred by then, RFC 3339; takes a replay of all events.
    #[arg(long, value_name = "TIME")]
    as_of_occurred: Option<Timestamp>,
    /// Read the state made by what has this identity (six digits are enough): what runs, or served before.
    #[arg(long, value_name = "DIGEST")]
    identity: Option<String>,
}

impl Past {
    fn is_asked(&self) -> bool {
        self.as_of.is_some() || self.as_of_occurred.is_some() || self.identity.is_some()
    }

    /// The query for it, at the sequence that a page before was of if there was one.
    fn query(&self, query: Query, sequence: Option<u64>) -> Query {
        let as_of = sequence.map(|sequence| Moment::Sequence(Sequence(sequence))).or(self.as_of);
        let query = query.with_some("as_of", as_of).with_some("as_of_occurred", self.as_of_occurred);
        query.with_some("identity", self.identity.as_deref())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Get {
    name: String,
    key: String,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Scan {
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
    limit: u64,
    #[command(flatten)]
    reading: Reading,
}

/// Entries asked for at once; the API gives no more.
const PAGE_ENTRIES: u64 = 1_000;

impl Reading {
    /// Lets the state catch up before it is read. What cannot is read as it is, with a warning.
    fn prepare(&self, client: &mut Client, context: &mut Context, name: &str) -> Result<(), Error> {
        if self.stale || self.past.is_asked() {
            return Ok(());
        }
        let readable = wait::for_readers(client, context, name)?.readable;
        if wait::is_behind(&readable) {
            let (phase, checkpoint) = (wait::phase(&readable), readable.checkpoint);
            context.output.warn(&format!("projection {name:?} is {phase}; this is its state at sequence {checkpoint}"));
        }
        Ok(())
    }

    /// Asks for something of the state, at the sequence that a page before was of if there was one.
    fn ask<T: DeserializeOwned>(
        &self,
        client: &mut Client,
        context: &mut Context,
        query: Query,
        sequence: Option<u64>,
    ) -> Result<T, Error> {
        if !self.past.is_asked() {
            return client.get(query.path());
        }
        context.output.flush()?;
        let bar = context.output.events_bar("as of", 0);
        let read = client.look(self.past.query(query, sequence).path(), |progress| show(&bar, progress));
        bar.finish_and_clear();
        read
    }
}

/// Says of which time a state is, and what is out of the ordinary with it.
fn tell(context: &Context, name: &str, as_of: Option<&AsOf>) {
    let Some(AsOf { sequence, checkpoint, halted, unused, .. }) = as_of else { return };
    for what in unused {
        context.output.warn(&format!("{what}; the state was made without it"));
    }
    match halted {
        Some(why) => {
            let checkpoint = count(*checkpoint);
            context.output.warn(&format!("projection {name:?} was {why}; this is its state at sequence {checkpoint}"));
        }
        None => context.output.remark(&format!("as of sequence {}", count(*sequence))),
    }
}

/// Values as people read them: JSON as it is, but text and bytes, which the wire has as JSON strings, without quotes.
#[derive(Default)]
struct Values {
    /// Whether the state holds text or bytes; unknown until a value could be either.
    is_plain: Option<bool>,
}

impl Values {
    fn text(&mut self, client: &mut Client, name: &str, entry: &Entry) -> Result<String, Error> {
        let json = entry.value.text();
        let Ok(plain) = serde_json::from_str::<String>(&json) else { return Ok(json) };
        let is_plain = match self.is_plain {
            Some(known) => known,
            None => *self.is_plain.insert(holds_text(client, name)?),
        };
        Ok(if is_plain { plain } else { json })
    }
}

fn holds_text(client: &mut Client, name: &str) -> Result<bool, Error> {
    let projection: Projection = client.get(&wait::path(name, ""))?;
    let plugin = client.get::<PluginDetails>(&format!("/plugins/{}", segment(&projection.readable.plugin_digest)));
    match plugin {
        Ok(plugin) => Ok(plugin.state_encoding.is_some_and(|encoding| encoding == "text" || encoding == "bytes")),
        Err(error) if error.code() == Some(Code::UnknownPlugin) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Get {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        self.reading.prepare(client, context, &self.name)?;
        let query = Query::of(wait::path(&self.name, &format!("/state/{}", segments(&self.key))));
        let entry: Entry = self.reading.ask(client, context, query, None)?;
        tell(context, &self.name, entry.as_of.as_ref());
        let mut values = Values::default();
        let text = values.text(client, &self.name, &entry)?;
        context.output.data(&entry, |_| text)
    }
}

impl Scan {
    pub(super) fn run(self, client: &mut Client, context: &mut Context) -> Result<(), Error> {
        self.reading.prepare(client, context, &self.name)?;
        let (mut after, mut left) = (self.after.clone(), self.limit);
        let (mut first, mut sequence): (Option<(u64, String)>, Option<u64>) = (None, None);
        let mut values = Values::default();
        loop {
            let page = self.page(client, context, (after.as_deref(), sequence), left)?;
            if first.is_none() {
                tell(context, &self.name, page.as_of.as_ref());
                sequence = page.as_of.as_ref().map(|as_of| as_of.sequence);
            }
            let (checkpoint, identity) = first.get_or_insert_with(|| (page.checkpoint, page.identity.clone()));
            if *identity != page.identity {
                let text = format!("another state of projection {:?} serves since this began; scan again", self.name);
                return Err(Error::Incomplete(text));
            }
            let wanted = page.entries.iter().take(usize::try_from(left).unwrap_or(usize::MAX));
            for entry in wanted {
                left -= 1;
                let text = values.text(client, &self.name, entry)?;
                context.output.data(entry, |entry| format!("{}\t{text}", entry.key))?;
            }
            if *checkpoint != page.checkpoint {
                let (from, to) = (*checkpoint, page.checkpoint);
                context.output.remark(&format!("the state went on from sequence {from} to {to} between these pages"));
                *checkpoint = to;
            }
            match page.next {
                Some(_) if left == 0 => break,
                Some(next) => after = Some(next),
                None if self.limit == 0 && !page.entries.is_empty() => break,
                None => return Ok(()),
            }
        }
        context.output.remark(&format!("there are more; --limit says how many to print (now {})", self.limit));
        Ok(())
    }

    fn page(
        &self,
        client: &mut Client,
        context: &mut Context,
        (after, sequence): (Option<&str>, Option<u64>),
        limit: u64,
    ) -> Result<StatePage, Error> {
        let query = Query::of(wait::path(&self.name, "/state")).with_some("view", self.view.as_deref());
        let prefix = Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let query = query.with_some("prefix", prefix).with_some("after", after);
        self.reading.ask(client, context, query.with("limit", limit.clamp(1, PAGE_ENTRIES)), sequence)
    }
}
