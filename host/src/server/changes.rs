//! `GET /projections/{name}/changes`: what a projection's state becomes, by Server-Sent Events.
//!
//! A follower that waits is a position and a timer; what it is sent belongs to all followers together.

mod feed;

use std::convert::Infallible;
use std::sync::Arc;
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::watch;

use self::feed::{Feed, Serving};
use super::Host;
use super::access::Access;
use super::answer::blocking;
use super::params::{Params, invalid};
use super::problem::Problem;
use super::sse;
use crate::engine::{Commit, Journalled, Position, StateEncoding};
use crate::event::Sequence;
pub(super) use feed::Feeds;

/// Why a follower that named no place begins with a `reset`.
const BEGINS: &str = "no position was given";
const OTHER_STATE: &str = "another state serves now";

/// Follows the entries of the state that serves, by Server-Sent Events.
///
/// `changes` says what became of each key between the position before and
/// this one (no value: it was deleted); `reset` says that the state is to be read anew, because it begins here, changes
/// were missed, or another state serves now; `deleted` and `shutdown` come last. Resumes behind `Last-Event-ID` or
/// `since`: the id of an event, or a checkpoint.
#[utoipa::path(get, path = "/projections/{name}/changes", tag = "state", operation_id = "follow_state",
    params(("name" = String, Path),
        ("since" = Option<String>, Query, pattern = "^[0-9]{1,19}(-[0-9a-fA-F]{0,64})?$",
            description = "Only changes behind this id or checkpoint"),
        ("Last-Event-ID" = Option<String>, Header, pattern = "^[0-9]{1,19}(-[0-9a-fA-F]{0,64})?$",
            description = "The id that came last; it goes before `since`")),
    responses((status = 200, description = "Changes without end", content(("text/event-stream"))), (status = 404)))]
pub(super) async fn follow(
    State(host): State<Arc<Host>>,
    access: Access,
    params: Params,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    params.only(&["since"])?;
    let last = headers.get("last-event-id").map(|last| place(last.to_str().unwrap_or_default())).transpose()?;
    let since = last.or(params.text("since").map(place).transpose()?);
    let asked = name.clone();
    let opened = blocking(&host, move |engine| {
        let journal = engine.journal(&asked)?;
        let snapshot = engine.snapshot(&asked)?;
        access.may_read_projection(&snapshot.manifest)?;
        let serving = Serving { identity: snapshot.identity, manifest: snapshot.manifest };
        Ok((journal, serving, access.is_limited().then(|| Box::new(access))))
    });
    let (journal, serving, limited) = opened.await?;
    let place = match since {
        None => Place::Unknown(BEGINS),
        Some((sequence, identity)) if serving.identity.to_string().starts_with(&identity) => {
            Place::Behind(Position { sequence, identity: serving.identity })
        }
        Some(_) => Place::Unknown(OTHER_STATE),
    };
    let (feed, moved) = host.feeds().subscribe(&host, name, journal, serving);
    let sending = (Vec::new().into_iter(), StateEncoding::Bytes);
    let follower = Follower { host, feed, moved, place, limited, sending, is_over: false };
    Ok(sse::response(Body::from_stream(futures_util::stream::unfold(follower, Follower::next))))
}

/// Reads a position: a sequence, and the start of an identity behind it if it came from an event.
fn place(text: &str) -> Result<(Sequence, String), Problem> {
    let (sequence, identity) = text.split_once('-').unwrap_or((text, ""));
    let is_identity = identity.len() <= 64 && identity.bytes().all(|digit| digit.is_ascii_hexdigit());
    match sequence.parse() {
        Ok(sequence) if is_identity => Ok((Sequence(sequence), identity.to_ascii_lowercase())),
        _ => Err(invalid(format!("{text:?} is neither the id of a change nor a checkpoint"))),
    }
}

/// How far a follower is.
#[derive(Debug)]
enum Place {
    Behind(Position),
    /// Nowhere that could be gone on from; why.
    Unknown(&'static str),
}

#[derive(Debug)]
struct Follower {
    host: Arc<Host>,
    feed: Arc<Feed>,
    moved: watch::Receiver<Serving>,
    place: Place,
    /// What it may read, if not everything: another state may be made from more.
    limited: Option<Box<Access>>,
    /// What it is being sent, and how its values are encoded.
    sending: (IntoIter<Arc<Commit>>, StateEncoding),
    is_over: bool,
}

/// Tells that the state must be read anew.
#[derive(Serialize)]
struct Reset {
    checkpoint: u64,
    identity: String,
    reason: &'static str,
}

type Sent = Result<Bytes, Infallible>;

impl Follower {
    /// The next thing to send. Nothing is made ready before the connection has room for it.
    async fn next(mut self) -> Option<(Sent, Self)> {
        loop {
            if self.is_over {
                return None;
            }
            if let (Some(commit), Place::Behind(position)) = (self.sending.0.next(), &mut self.place) {
                position.sequence = commit.through;
                let text = feed::rendered(commit, position.identity, self.sending.1).await;
                return Some((Ok(text), self));
            }
            if self.host.service().is_closing() {
                return self.end("event: shutdown\ndata: {}\n\n".into());
            }
            let serving = self.moved.borrow_and_update().clone();
            match self.look() {
                Journalled::Commits(commits) if self.is_of(&serving) => {
                    self.sending = (commits.into_iter(), serving.manifest.state_encoding);
                    continue;
                }
                Journalled::Missed { now, reason } if now.identity == serving.identity => {
                    return self.reset(now, reason, &serving);
                }
                Journalled::Over => return self.end("event: deleted\ndata: {}\n\n".into()),
                _ if self.feed.has_ended() => return None,
                // What serves has just changed, and whoever tells followers is about to find out, too.
                Journalled::Commits(_) | Journalled::Missed { .. } | Journalled::Nothing => {}
            }
            tokio::select! {
                _ = self.moved.changed() => {}
                () = self.host.service().closing().cancelled() => {}
                () = tokio::time::sleep(sse::HEARTBEAT) => return Some((Ok(Bytes::from_static(b": \n\n")), self)),
            }
        }
    }

    fn is_of(&self, serving: &Serving) -> bool {
        matches!(self.place, Place::Behind(position) if position.identity == serving.identity)
    }

    fn look(&self) -> Journalled {
        match self.place {
            Place::Behind(position) => self.feed.after(position),
            Place::Unknown(reason) => match self.feed.after(Position::default()) {
                Journalled::Over => Journalled::Over,
                _ => Journalled::Missed { now: self.feed.position(), reason },
            },
        }
    }

    fn reset(mut self, now: Position, reason: &'static str, serving: &Serving) -> Option<(Sent, Self)> {
        if let Some(Err(problem)) = self.limited.as_ref().map(|access| access.may_read_projection(&serving.manifest)) {
            return self.end(sse::frame("error", &problem));
        }
        self.place = Place::Behind(now);
        let data = Reset { checkpoint: now.sequence.0, identity: now.identity.to_string(), reason };
        let text = format!("id: {}\n{}", id(now), sse::frame("reset", &data));
        Some((Ok(text.into()), self))
    }

    fn end(mut self, last: String) -> Option<(Sent, Self)> {
        self.is_over = true;
        Some((Ok(last.into()), self))
    }
}

/// Names a place so that a follower that comes back to another state is told so.
fn id(position: Position) -> String {
    format!("{}-{}", position.sequence, position.identity.short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Digest;

    #[test]
    fn a_place_is_read_back_from_its_id() {
        let position = Position { sequence: Sequence(42), identity: Digest::of(b"state") };
        let (sequence, identity) = place(&id(position)).unwrap();
        assert_eq!(sequence, position.sequence);
        assert!(identity.len() == 12 && position.identity.to_string().starts_with(&identity));
        assert_eq!(place("42").unwrap(), (Sequence(42), String::new()));
        assert_eq!(place("42-ABC").unwrap(), (Sequence(42), "abc".to_owned()));
        for wrong in ["", "-", "x", "-1", "1-x", "1-", "1 "] {
            assert_eq!(place(wrong).is_ok(), wrong == "1-", "{wrong:?}");
        }
    }
}
