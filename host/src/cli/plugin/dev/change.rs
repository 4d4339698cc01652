//! What a new build changes in a projection's state, key by key.

use serde::Serialize;

use super::{Client, Context, Error, Projection, wait};
use crate::cli::client::Query;
use crate::cli::output::count;
use crate::cli::projection::compare::{Page, compare, difference};
use crate::server::data::Data;
use crate::server::model::{Comparison, StatePage};

/// Keys shown of each kind of difference.
const SHOWN: usize = 20;

/// Keys asked for at once, and how often: what comes first in a state may be all of one kind.
const PAGE_KEYS: u64 = 100;
const PAGES_MAX: usize = 10;

/// Characters of a value that people are shown.
const TEXT_CHARS_MAX: usize = 1_000;

/// A state beside the one before it.
#[derive(Serialize)]
pub(super) struct Change {
    /// The plugin that made the state before; none if there was no state.
    before: Option<String>,
    added: u64,
    removed: u64,
    changed: u64,
    unchanged: u64,
    /// The first keys of each kind, in key order.
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    key: String,
    before: Option<Data>,
    after: Option<Data>,
}

/// How a key differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Added,
    Removed,
    Changed,
}

impl Change {
    /// All of a first state: it was empty before.
    pub(super) fn from_nothing(client: &mut Client, projection: &Projection) -> Result<Self, Error> {
        let query = Query::of(wait::path(&projection.name, "/state")).with("limit", SHOWN);
        let page: StatePage = client.get(query.path())?;
        let example =
            |entry: crate::server::model::Entry| Example { key: entry.key, before: None, after: Some(entry.value) };
        let examples = page.entries.into_iter().map(example).collect();
        let added = projection.readable.entries;
        Ok(Self { before: None, added, removed: 0, changed: 0, unchanged: 0, examples })
    }

    /// The state that serves beside the one that served before.
    pub(super) fn from_previous(client: &mut Client, context: &Context, name: &str) -> Result<Self, Error> {
        let (mut change, mut after): (Option<Self>, Option<String>) = (None, None);
        for _ in 0..PAGES_MAX {
            let page = Page { after: after.as_deref(), limit: PAGE_KEYS };
            let comparison = compare(client, context, name, page, false)?;
            after.clone_from(&comparison.next);
            let change = change.get_or_insert_with(|| Self::counts(&comparison));
            change.add(comparison);
            if after.is_none() || change.is_enough() {
                break;
            }
        }
        Ok(change.expect("at least one page was asked for"))
    }

    /// A comparison says what the other state has and the serving one has not: here the other is the one before.
    fn counts(comparison: &Comparison) -> Self {
        let Comparison { other, added, removed, changed, unchanged, .. } = comparison;
        let (added, removed, changed, unchanged) = (*removed, *added, *changed, *unchanged);
        Self { before: Some(other.plugin.clone()), added, removed, changed, unchanged, examples: Vec::new() }
    }

    fn add(&mut self, comparison: Comparison) {
        for found in comparison.examples {
            let example = Example { key: found.key, before: found.other, after: found.serving };
            if self.shown(example.kind()) < SHOWN {
                self.examples.push(example);
            }
        }
    }

    fn shown(&self, kind: Kind) -> usize {
        self.examples.iter().filter(|example| example.kind() == kind).count()
    }

    fn all(&self) -> [(Kind, u64); 3] {
        [(Kind::Added, self.added), (Kind::Removed, self.removed), (Kind::Changed, self.changed)]
    }

    fn is_enough(&self) -> bool {
        self.all().into_iter().all(|(kind, keys)| self.shown(kind) as u64 >= keys.min(SHOWN as u64))
    }

    /// For people, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { before, added, removed, changed, unchanged, .. } = self;
        let mut lines = match before {
            None => vec![format!("  the first state: {} added", count(*added))],
            Some(before) => {
                let [added, removed, changed, unchanged] =
                    [added, removed, changed, unchanged].map(|keys| count(*keys));
                vec![format!(
                    "  beside that of {before}: {added} added, {removed} removed, {changed} changed, {unchanged} unchanged"
                )]
            }
        };
        lines.extend(self.examples.iter().map(|example| indented(&example.line())));
        let left = |(kind, keys): (Kind, u64)| (keys - (self.shown(kind) as u64).min(keys), kind.as_str());
        let left: Vec<_> = self.all().map(left).into_iter().filter(|(keys, _)| *keys > 0).collect();
        if !left.is_empty() {
            let left: Vec<_> = left.iter().map(|(keys, kind)| format!("{} {kind}", count(*keys))).collect();
            lines.push(format!("  … and {} more", left.join(", ")));
        }
        lines
    }
}

impl Example {
    fn kind(&self) -> Kind {
        match (&self.before, &self.after) {
            (None, _) => Kind::Added,
            (Some(_), None) => Kind::Removed,
            (Some(_), Some(_)) => Kind::Changed,
        }
    }

    fn line(&self) -> String {
        let text = |value: &Option<Data>| value.as_ref().map(|value| cut(value.text()));
        difference(&self.key, text(&self.before), text(&self.after))
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A value as a terminal can show it.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        let left = text.len() - end;
        text.truncate(end);
        text += &format!("… ({} more bytes)", count(left as u64));
    }
    text
}

pub(super) fn indented(text: &str) -> String {
    format!("  {}", text.replace('\n', "\n  "))
}
