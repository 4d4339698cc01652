//! What all followers of a projection share: one task that hears its journal and writes down each commit once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use axum::body::Bytes;
use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};
use tokio::sync::watch;

use super::id;
use crate::engine::{Changes, Commit, Engine, Error, Journal, Journalled, Position, ProjectionManifest, StateEncoding};
use crate::event::Digest;
use crate::server::Host;
use crate::server::data::Data;

/// The state that followers are told of.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub(super) identity: Digest,
    pub(super) manifest: Arc<ProjectionManifest>,
}

/// The feeds of all projections that somebody follows, by name.
#[derive(Debug, Default)]
pub(in crate::server) struct Feeds(Mutex<BTreeMap<String, Arc<Feed>>>);

impl Feeds {
    /// Adds a follower; the first one starts the task.
    pub(super) fn subscribe(
        &self,
        host: &Arc<Host>,
        name: String,
        journal: Arc<Journal>,
        serving: Serving,
    ) -> (Arc<Feed>, watch::Receiver<Serving>) {
        let mut feeds = self.feeds();
        let is_present = |feed: &&Arc<Feed>| Arc::ptr_eq(&feed.journal, &journal) && !feed.has_ended();
        if let Some(feed) = feeds.get(&name).filter(is_present) {
            return (Arc::clone(feed), feed.told.subscribe());
        }
        let (told, receiver) = watch::channel(serving);
        let feed = Arc::new(Feed { name: name.clone(), journal, told, has_ended: AtomicBool::new(false) });
        feeds.insert(name, Arc::clone(&feed));
        // Before the follower looks for the first time: it is woken by all that it does not find then.
        let seen = feed.position();
        tokio::spawn(run(Arc::downgrade(host), Arc::clone(&feed), seen));
        (feed, receiver)
    }

    /// Takes a feed out that nobody follows; false if somebody came meanwhile.
    fn leave(&self, feed: &Arc<Feed>) -> bool {
        let mut feeds = self.feeds();
        let is_left = feed.told.receiver_count() == 0 || feed.has_ended();
        if is_left && feeds.get(&feed.name).is_some_and(|found| Arc::ptr_eq(found, feed)) {
            feeds.remove(&feed.name);
        }
        is_left
    }

    fn feeds(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Feed>>> {
        self.0.lock().expect("no thread panics while it holds the feeds")
    }
}

/// A projection that is followed.
#[derive(Debug)]
pub(super) struct Feed {
    name: String,
    journal: Arc<Journal>,
    told: watch::Sender<Serving>,
    /// Nobody hears the journal any more.
    has_ended: AtomicBool,
}

impl Feed {
    pub(super) fn after(&self, position: Position) -> Journalled {
        self.journal.after(position)
    }

    pub(super) fn position(&self) -> Position {
        self.journal.position()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}

/// A commit as followers get it. The task has made it already, but for what was committed before it began.
pub(super) async fn rendered(commit: Arc<Commit>, identity: Digest, encoding: StateEncoding) -> Bytes {
    if let Some(rendered) = commit.rendered.get() {
        return rendered.clone();
    }
    let rendered = tokio::task::spawn_blocking(move || render(&commit, identity, encoding)).await;
    rendered.expect("nothing in a commit makes it panic")
}

/// Hears the journal for all followers, so that the thread that commits wakes one task and not thousands.
async fn run(host: Weak<Host>, feed: Arc<Feed>, mut seen: Position) {
    loop {
        // Not held while it waits: the engine closes when everyone else is done with it.
        let Some(strong) = host.upgrade() else { return };
        let moved = feed.journal.listen();
        let (hears, told) = (Arc::clone(&feed), Arc::clone(&strong));
        let heard = tokio::task::spawn_blocking(move || hear(told.engine(), &hears, seen)).await;
        let Ok(ControlFlow::Continue(position)) = heard else {
            feed.has_ended.store(true, Ordering::Release);
            strong.feeds().leave(&feed);
            feed.told.send_modify(|_| {});
            return;
        };
        if seen != position {
            seen = position;
            feed.told.send_modify(|_| {});
            continue;
        }
        drop(strong);
        tokio::select! {
            () = moved => {}
            () = feed.told.closed() => {
                let Some(host) = host.upgrade() else { return };
                if host.feeds().leave(&feed) {
                    return;
                }
            }
        }
    }
}

/// Writes down what was committed behind a position, and finds out what serves when that has changed.
fn hear(engine: &Engine, feed: &Feed, seen: Position) -> ControlFlow<(), Position> {
    if let Err(error) = find_serving(engine, feed) {
        tracing::warn!(projection = feed.name, "its followers are let go: {error}");
        return ControlFlow::Break(());
    }
    let serving = feed.told.borrow().clone();
    match feed.journal.after(seen) {
        Journalled::Commits(commits) if seen.identity == serving.identity => {
            let encoding = serving.manifest.state_encoding;
            commits.iter().for_each(|commit| drop(render(commit, seen.identity, encoding)));
            let sequence = commits.last().map_or(seen.sequence, |commit| commit.through);
            ControlFlow::Continue(Position { sequence, ..seen })
        }
        Journalled::Missed { now, .. } if now.identity == serving.identity => ControlFlow::Continue(now),
        Journalled::Over => ControlFlow::Break(()),
        // Between two states; the journal is about to move.
        Journalled::Commits(_) | Journalled::Missed { .. } | Journalled::Nothing => ControlFlow::Continue(seen),
    }
}

fn find_serving(engine: &Engine, feed: &Feed) -> Result<(), Error> {
    let identity = feed.position().identity;
    if identity == feed.told.borrow().identity {
        return Ok(());
    }
    match engine.snapshot(&feed.name) {
        Ok(snapshot) if snapshot.identity == identity => {
            feed.told.send_replace(Serving { identity, manifest: snapshot.manifest });
            Ok(())
        }
        // It was deleted, as the journal says.
        Ok(_) | Err(Error::UnknownProjection(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn render(commit: &Commit, identity: Digest, encoding: StateEncoding) -> Bytes {
    let written = commit.rendered.get_or_init(|| {
        let position = Position { sequence: commit.through, identity };
        let changed = Changed { checkpoint: commit.through.0, changes: &commit.changes, encoding };
        let mut data = serde_json::to_string(&changed).expect("keys and values are plain data");
        // A state's own JSON may be spread over lines, each of which would end the event; between tokens only, for
        // within its texts a line's end is escaped.
        if data.contains(['\n', '\r']) {
            data = data.replace(['\n', '\r'], " ");
        }
        format!("event: changes\nid: {}\ndata: {data}\n\n", id(position)).into()
    });
    written.clone()
}

/// What a commit changed, for the wire.
struct Changed<'a> {
    checkpoint: u64,
    changes: &'a Changes,
    encoding: StateEncoding,
}

impl Serialize for Changed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shape = serializer.serialize_struct("Changed", 2)?;
        shape.serialize_field("checkpoint", &self.checkpoint)?;
        shape.serialize_field("changes", &Entries(self))?;
        shape.end()
    }
}

struct Entries<'a>(&'a Changed<'a>);

#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    value: Option<Data>,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_seq(Some(self.0.changes.len()))?;
        for (key, value) in self.0.changes.iter() {
            let value = value.map(|value| Data::value(value, self.0.encoding));
            entries.serialize_element(&Entry { key, value })?;
        }
        entries.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::event::Sequence;

    #[test]
    fn a_commit_is_one_event_whatever_its_values_hold() {
        let mut changes = Changes::default();
        changes.set("a".to_owned(), Some(b"{\n \"x\": \"1\\n2\"\r\n}".to_vec()));
        changes.set("b".to_owned(), None);
        changes.set("c".to_owned(), Some(b"no json".to_vec()));
        let commit = Commit { through: Sequence(7), changes: Arc::new(changes), rendered: OnceLock::new() };
        let text = render(&commit, Digest::ZERO, StateEncoding::Json);
        expect_test::expect![[r#"
            event: changes
            id: 7-000000000000
            data: {"checkpoint":7,"changes":[{"key":"a","value":{  "x": "1\n2"  }},{"key":"b","value":null},{"key":"c","value":"bm8ganNvbg=="}]}

        "#]]
        .assert_eq(std::str::from_utf8(&text).unwrap());
    }
}
