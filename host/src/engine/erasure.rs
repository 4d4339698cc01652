//! Erasing on purpose: forgetting a stream, redacting events.
//!
//! What is to be done stands in the file `erasing.json` before anything is done, so that a crash between two steps is made up
//! for when the directory is opened again:
//!
//! 1. The file is durable.
//! 2. An event says who erased what, and why.
//! 3. What is redacted is gone from archives and the log.
//! 4. What could show it is stopped.
//! 5. What is forgotten has no key any more.
//! 6. The states that it may be in are removed, with their snapshots and history.
//! 7. The file is removed, and they are built anew.

mod affected;
mod pending;
mod redact;
#[cfg(test)]
mod tests;

use std::sync::{MutexGuard, PoisonError};
use std::time::Instant;

use super::code::Code;
use super::{Engine, Error};
use crate::event::{Digest, NewEvent, Sequence, StreamName, Timestamp};
use crate::log::{Prepared, Refused};
use affected::Erased;
use pending::{Pending, What};
pub use redact::Redacted;

/// Long enough for a sentence with the number of a case.
const REASON_CHARS_MAX: usize = 1_000;

/// Who erases, and why.
#[derive(Clone, Debug)]
pub struct Motive {
    reason: String,
    by: Option<String>,
}

/// What became of forgetting a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    pub stream: StreamName,
    /// How many events cannot be read any more.
    pub events: u64,
    /// The event that says so; none if the stream was forgotten before.
    pub sequence: Option<Sequence>,
    /// The projections that are built anew.
    pub rebuilt: Vec<String>,
}

impl Motive {
    /// # Errors
    /// If the reason is empty, longer than 1,000 characters or of several lines, or the name is none.
    pub fn new(reason: &str, by: Option<&str>) -> Result<Self, Error> {
        let refuse = |what: &str, why: &str| Err(Error::Motive(format!("{what} {why}")));
        if reason.trim().is_empty() {
            return refuse("the reason", "is empty; whoever reads the log later has nothing else");
        }
        if reason.chars().count() > REASON_CHARS_MAX {
            return refuse("the reason", "has more than 1,000 characters");
        }
        for (what, text) in [("the reason", Some(reason)), ("the name of who erases", by)] {
            if text.is_some_and(|text| text.chars().any(char::is_control)) {
                return refuse(what, "has control characters; it is one line of text");
            }
        }
        if by.is_some_and(|by| by.trim().is_empty() || by.len() > NewEvent::LABEL_BYTES_MAX) {
            return refuse("the name of who erases", "is empty, or longer than 256 bytes");
        }
        Ok(Self { reason: reason.to_owned(), by: by.map(str::to_owned) })
    }
}

impl Engine {
    /// Deletes a stream's key, so that its payloads can be read nowhere any more, and builds anew what was made of them.
    ///
    /// # Errors
    /// Before anything is written if the stream is not encrypted, has events from before it was, or a projection that it
    /// concerns cannot be built again.
    pub fn forget(&self, stream: &StreamName, motive: Motive) -> Result<Forgotten, Error> {
        let _erasing = self.begin_erasing()?;
        let found = self.find_stream(stream)?;
        if self.hub.keys.is_forgotten(stream.as_str())? {
            return Ok(Forgotten { stream: stream.clone(), events: found.events, sequence: None, rebuilt: Vec::new() });
        }
        if let Some(first) = found.plain.first() {
            let (stream, count) = (stream.to_string(), found.plain.len());
            return Err(Error::NotErasable(format!(
                "stream {stream:?} has events from before it was encrypted ({count}, the first at sequence {first}): \
                 `polyfold redact` them first; nothing was changed"
            )));
        }
        if found.events == 0 {
            return Err(Error::NotErasable(format!("there is no stream {:?}; nothing was changed", stream.as_str())));
        }
        self.check_rebuildable(&self.affected(&found.erased))?;
        let what = What::Forget { stream: stream.to_string() };
        let pending = Pending::new(what, motive.reason, motive.by, Timestamp::now());
        let (sequence, rebuilt) = self.erase(&pending, &found.erased)?;
        Ok(Forgotten { stream: stream.clone(), events: found.events, sequence: Some(sequence), rebuilt })
    }

    /// One thing is erased at a time, and what was broken off first.
    fn begin_erasing(&self) -> Result<MutexGuard<'_, ()>, Error> {
        let erasing = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        self.finish_erasing()?;
        Ok(erasing)
    }

    /// Finishes what a crash or a full disk broke off.
    pub(super) fn finish_erasing(&self) -> Result<(), Error> {
        let Some(pending) = Pending::read(self.dir())? else { return Ok(()) };
        let began = Instant::now();
        let erased = match &pending.what {
            What::Forget { stream } => {
                let stream = StreamName::new(stream.as_str()).map_err(|error| Pending::problem(self.dir(), &error))?;
                self.find_stream(&stream)?.erased
            }
            What::Redact { sequences } => self.find_events(sequences)?.erased,
        };
        self.go_on_erasing(&pending, &erased)?;
        tracing::warn!(seconds = began.elapsed().as_secs_f64(), "an erasure that was broken off is finished");
        Ok(())
    }

    fn erase(&self, pending: &Pending, erased: &Erased) -> Result<(Sequence, Vec<String>), Error> {
        pending.write(self.dir())?;
        self.go_on_erasing(pending, erased)
    }

    /// All steps from the event on; those that are done already change nothing.
    fn go_on_erasing(&self, pending: &Pending, erased: &Erased) -> Result<(Sequence, Vec<String>), Error> {
        let appended = self.submit(Prepared::new(pending.append())?).wait();
        let sequence = match appended {
            Ok(appended) => appended.events[0].sequence,
            // It was said before, and not done: the reason given then stands.
            Err(Error::Refused(Refused::IdTaken { sequence, .. })) => sequence,
            Err(error) => {
                // Nothing is erased yet, and whoever asked is told so.
                Pending::remove(self.dir())?;
                return Err(error);
            }
        };
        if let What::Redact { sequences } = &pending.what {
            self.drop_payloads(sequences)?;
        }
        let rebuilt = self.without(erased, &pending.why(), || match &pending.what {
            What::Forget { stream } => self.hub.keys.forget(stream, pending.at),
            What::Redact { .. } => Ok(()),
        })?;
        Pending::remove(self.dir())?;
        Ok((sequence, rebuilt))
    }

    /// Stops the projections that want such events, does something that changes what they are made of, removes all that was
    /// made before, and lets those that ran begin anew. Returns their names.
    fn without(
        &self,
        erased: &Erased,
        why: &str,
        erase: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Vec<String>, Error> {
        let mut ran = Vec::new();
        let (names, done) = {
            let _starting = self.starting();
            // Looked for now, when none can begin any more.
            let names = self.affected(erased);
            // Who takes a snapshot of what is removed must be done before.
            let _removing = self.hub.states.begin_removal();
            for name in &names {
                let keys = self.hub.running.keys(name);
                if !keys.is_empty() {
                    ran.push(name.clone());
                    self.block_appends(name, "it is built anew without what was erased");
                }
                keys.iter().for_each(|key| self.hub.stop(key));
            }
            let done = erase().and_then(|()| names.iter().try_for_each(|name| self.remove_made(name, why)));
            self.hub.recent.clear();
            (names, done)
        };
        // Whatever became of it, what ran runs again.
        for name in &ran {
            if let Err(error) = self.start(name) {
                tracing::error!(projection = name, "it does not run after an erasure: {error}");
                self.block_appends(name, &error.to_string());
            }
        }
        done.map(|()| names)
    }

    /// Appends go past no sync projection that serves.
    fn block_appends(&self, name: &str, why: &str) {
        if self.projection(name).is_ok_and(|projection| projection.sync && projection.serving.is_some()) {
            self.hub.block(name, why);
        }
    }

    fn remove_made(&self, name: &str, why: &str) -> Result<(), Error> {
        self.hub.pasts.forget(name);
        self.hub.running.close_journal(name);
        let identities: Vec<Digest> = self.projection(name)?.deployments().map(super::Deployment::identity).collect();
        self.hub.states.remove_made(name, &identities, why)
    }

    /// Checks that all events are there that a projection is made of, in the log or in its archive.
    fn check_readable(&self, name: &str, deployment: &super::Deployment, code: &Code) -> Result<(), Error> {
        let stats = self.log().stats()?;
        if stats.stubs + stats.folded == 0 {
            return Ok(());
        }
        let (source, head) = (self.source_again(name, deployment, code)?, self.log().head().sequence);
        let mut from = Sequence::FIRST;
        while from <= head {
            from = source.read(from, head)?.through.next();
        }
        Ok(())
    }

    /// Checks what could keep a projection from being built again.
    fn check_rebuildable(&self, names: &[String]) -> Result<(), Error> {
        for name in names {
            for deployment in self.projection(name)?.deployments() {
                let rebuildable = self.code(deployment).and_then(|code| self.check_readable(name, deployment, &code));
                rebuildable.map_err(|error| {
                    Error::NotErasable(format!(
                        "projection {name:?} has to be built anew and cannot be: {error}; nothing was changed"
                    ))
                })?;
            }
        }
        Ok(())
    }
}
