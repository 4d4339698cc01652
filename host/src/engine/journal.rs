//! The latest commits of the state that serves, for who follows its changes. Bounded: who is too slow is told so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use event_listener::{Event, EventListener};

use crate::event::{Digest, Sequence};
use crate::state::{Changes, Checkpoint};

/// 4 MiB of changes for each projection: seconds of a busy one, hours of a quiet one.
const BYTES_MAX: usize = 4 << 20;

/// What a commit costs beside its changes.
const COMMIT_BYTES: usize = 256;

/// Commits that are handed out at once, so that a slow follower holds few of them.
const PAGE: usize = 64;

/// What one commit changed.
#[derive(Debug)]
pub struct Commit {
    /// The state is as it is behind this event.
    pub through: Sequence,
    pub changes: Arc<Changes>,
    /// A place for what the first follower makes of it, so that the others need not make it again.
    pub rendered: OnceLock<Bytes>,
}

/// How far somebody has followed which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub sequence: Sequence,
    pub identity: Digest,
}

/// What came behind a position.
#[derive(Clone, Debug)]
pub enum Journalled {
    Nothing,
    /// The next ones, not always all.
    Commits(Vec<Arc<Commit>>),
    /// The changes up to the present position are not here any more, or belong to another state: read the state anew.
    Missed {
        now: Position,
        reason: &'static str,
    },
    /// The projection was deleted.
    Over,
}

/// The latest commits of a projection.
#[derive(Debug)]
pub struct Journal {
    latest: Mutex<Latest>,
    moved: Event,
}

#[derive(Debug)]
struct Latest {
    /// Everything behind this position is in `commits`.
    floor: Position,
    commits: VecDeque<Arc<Commit>>,
    bytes: usize,
    is_over: bool,
}

impl Journal {
    pub(super) fn new(identity: Digest) -> Self {
        let floor = Position { sequence: Sequence::ZERO, identity };
        let latest = Latest { floor, commits: VecDeque::new(), bytes: 0, is_over: false };
        Self { latest: Mutex::new(latest), moved: Event::new() }
    }

    /// Wakes with the next commit; look after listening and before waiting.
    pub fn listen(&self) -> EventListener {
        self.moved.listen()
    }

    /// The position behind the latest commit.
    pub fn position(&self) -> Position {
        self.latest().position()
    }

    pub fn after(&self, position: Position) -> Journalled {
        let latest = self.latest();
        if latest.is_over {
            return Journalled::Over;
        }
        let missed = |reason| Journalled::Missed { now: latest.position(), reason };
        if position.identity != latest.floor.identity {
            return missed("another state serves now");
        }
        if position.sequence < latest.floor.sequence {
            return missed("changes were missed");
        }
        let behind = latest.commits.partition_point(|commit| commit.through <= position.sequence);
        let commits: Vec<_> = latest.commits.range(behind..).take(PAGE).cloned().collect();
        if commits.is_empty() { Journalled::Nothing } else { Journalled::Commits(commits) }
    }

    /// A state that was there before goes on from here; what it committed before then was not seen.
    pub(super) fn begin(&self, position: Position) {
        let mut latest = self.latest();
        let floor = latest.floor;
        if latest.commits.is_empty() && position.identity == floor.identity && position.sequence > floor.sequence {
            latest.floor = position;
        }
    }

    /// Adds what a state has committed, if it is the one that serves.
    pub(super) fn push(&self, identity: Digest, changes: &Arc<Changes>, checkpoint: Checkpoint) {
        let mut latest = self.latest();
        // Two workers of one state may commit the same events while one takes the other's place.
        let is_behind = checkpoint.sequence <= latest.position().sequence;
        if identity != latest.floor.identity || changes.is_empty() || is_behind {
            return;
        }
        let commit = Commit { through: checkpoint.sequence, changes: Arc::clone(changes), rendered: OnceLock::new() };
        latest.bytes += COMMIT_BYTES + changes.bytes();
        latest.commits.push_back(Arc::new(commit));
        while latest.bytes > BYTES_MAX
            && let Some(oldest) = latest.commits.pop_front()
        {
            latest.bytes -= COMMIT_BYTES + oldest.changes.bytes();
            latest.floor.sequence = oldest.through;
        }
        drop(latest);
        self.moved.notify(usize::MAX);
    }

    /// From now on another state serves, or the same one from another place on.
    pub(super) fn switch(&self, now: Position) {
        let mut latest = self.latest();
        *latest = Latest { floor: now, commits: VecDeque::new(), bytes: 0, is_over: false };
        drop(latest);
        self.moved.notify(usize::MAX);
    }

    pub(super) fn close(&self) {
        self.latest().is_over = true;
        self.moved.notify(usize::MAX);
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().expect("no thread panics while it holds the journal")
    }
}

impl Latest {
    fn position(&self) -> Position {
        let sequence = self.commits.back().map_or(self.floor.sequence, |commit| commit.through);
        Position { sequence, ..self.floor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(journal: &Journal, identity: Digest, through: u64, value_bytes: usize) {
        let mut changes = Changes::default();
        changes.set(format!("key {through}"), Some(vec![0; value_bytes]));
        let checkpoint = Checkpoint { sequence: Sequence(through), ..Checkpoint::default() };
        journal.push(identity, &Arc::new(changes), checkpoint);
    }

    fn after(journal: &Journal, sequence: u64, identity: Digest) -> String {
        match journal.after(Position { sequence: Sequence(sequence), identity }) {
            Journalled::Nothing => "nothing".to_owned(),
            Journalled::Commits(commits) => format!("{:?}", commits.iter().map(|c| c.through.0).collect::<Vec<_>>()),
            Journalled::Missed { now, reason } => format!("{reason}, now at {}", now.sequence),
            Journalled::Over => "over".to_owned(),
        }
    }

    #[test]
    fn a_state_that_was_there_before_begins_where_it_is() {
        let serving = Digest::of(b"serving");
        let journal = Journal::new(serving);
        journal.begin(Position { sequence: Sequence(7), identity: serving });
        assert_eq!(after(&journal, 6, serving), "changes were missed, now at 7");
        assert_eq!(after(&journal, 7, serving), "nothing");
        push(&journal, serving, 9, 1);
        journal.begin(Position { sequence: Sequence(9), identity: serving });
        assert_eq!(after(&journal, 7, serving), "[9]");
    }

    #[test]
    fn a_follower_gets_what_it_has_not_seen_or_is_told_that_it_is_gone() {
        let (serving, other) = (Digest::of(b"serving"), Digest::of(b"other"));
        let journal = Journal::new(serving);
        [3, 5, 9].iter().for_each(|through| push(&journal, serving, *through, 1));
        push(&journal, other, 11, 1);
        assert_eq!(after(&journal, 0, serving), "[3, 5, 9]");
        assert_eq!(after(&journal, 5, serving), "[9]");
        assert_eq!(after(&journal, 9, serving), "nothing");
        assert_eq!(after(&journal, 9, other), "another state serves now, now at 9");
        push(&journal, serving, 12, BYTES_MAX);
        assert_eq!(after(&journal, 9, serving), "changes were missed, now at 12");
        assert_eq!(after(&journal, 12, serving), "nothing");
        journal.switch(Position { sequence: Sequence(12), identity: other });
        assert_eq!(after(&journal, 12, serving), "another state serves now, now at 12");
        push(&journal, other, 13, 1);
        assert_eq!(after(&journal, 12, other), "[13]");
        journal.close();
        assert_eq!(after(&journal, 12, other), "over");
    }
}
