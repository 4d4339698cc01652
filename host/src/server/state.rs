//! A projection's state: a key, pages of entries, and waiting until it has got somewhere.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use tokio::time::Instant;

use super::accept::LongForm;
use super::access::Access;
use super::answer::blocking;
use super::data::Data;
use super::model::{Entry, StatePage};
use super::params::Params;
use super::past::{self, View};
use super::problem::{Code, Problem};
use super::{Host, sse};
use crate::engine::{self, Engine, ProjectionManifest, Reach, Waiting};
use crate::event::Sequence;

type Answered = Result<Response, Problem>;

/// Reads a state's entries in key order, a page at a time.
///
/// Each page is of one moment, and `checkpoint` says which: everything up to that event of the log is in it. A token that
/// is limited to categories may read a state only if it is made from nothing else.
#[utoipa::path(get, path = "/projections/{name}/state", tag = "state", operation_id = "read_state",
    params(("name" = String, Path),
        ("prefix" = Option<String>, Query, description = "Only keys that begin so"),
        ("view" = Option<String>, Query, description = "Only keys of this view of the plugin's"),
        ("after" = Option<String>, Query, description = "Only keys behind this one: `next` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 10000, description = "1,000 if left out"),
        ("min_sequence" = Option<u64>, Query, description = "Wait until the state has got to this event of the log"),
        ("timeout" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds to wait at most; 10 if left out"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "The state as it was behind this event, or at this RFC 3339 time: behind the last event recorded by then"),
        ("as_of_occurred" = Option<String>, Query, format = DateTime, description = "Made only of the events that had occurred by then; takes a replay of all"),
        ("identity" = Option<String>, Query, min_length = 6, max_length = 64, pattern = "^[0-9a-f]+$",
            description = "Made by what has this identity, or one that begins so: what runs, or served before")),
    responses((status = 200, description = "A page", content((StatePage), ("text/event-stream")),
            headers(("Polyfold-Checkpoint" = u64, description = "As `checkpoint`"))),
        (status = 404, description = "There is no such projection or view"),
        (status = 504, description = "It is not at `min_sequence`, in time or for good; the detail says where, and why")))]
pub(super) async fn scan(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path(name): Path<String>,
) -> Answered {
    params.only(&[&["prefix", "view", "after", "limit", "min_sequence", "timeout"], &past::NAMES[..]].concat())?;
    let view = params.text("view").map(str::to_owned);
    page(host, access, form, params, name, view).await
}

/// Reads the entries of a plugin's view in key order, a page at a time.
#[utoipa::path(get, path = "/projections/{name}/views/{view}", tag = "state", operation_id = "read_view",
    params(("name" = String, Path), ("view" = String, Path),
        ("after" = Option<String>, Query, description = "Only keys behind this one: `next` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 10000, description = "1,000 if left out"),
        ("min_sequence" = Option<u64>, Query, description = "Wait until the state has got to this event of the log"),
        ("timeout" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds to wait at most; 10 if left out"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "The state as it was behind this event, or at this RFC 3339 time: behind the last event recorded by then"),
        ("as_of_occurred" = Option<String>, Query, format = DateTime, description = "Made only of the events that had occurred by then; takes a replay of all"),
        ("identity" = Option<String>, Query, min_length = 6, max_length = 64, pattern = "^[0-9a-f]+$",
            description = "Made by what has this identity, or one that begins so: what runs, or served before")),
    responses((status = 200, description = "A page", content((StatePage), ("text/event-stream")),
            headers(("Polyfold-Checkpoint" = u64, description = "As `checkpoint`"))),
        (status = 404, description = "There is no such projection or view"),
        (status = 504, description = "It is not at `min_sequence`, in time or for good; the detail says where, and why")))]
pub(super) async fn view(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path((name, view)): Path<(String, String)>,
) -> Answered {
    params.only(&[&["after", "limit", "min_sequence", "timeout"], &past::NAMES[..]].concat())?;
    page(host, access, form, params, name, Some(view)).await
}

async fn page(
    host: Arc<Host>,
    access: Access,
    form: LongForm,
    params: Params,
    name: String,
    view: Option<String>,
) -> Answered {
    let limit = params.limit(1_000, 10_000)?;
    let (prefix, after) =
        (params.text("prefix").unwrap_or_default().to_owned(), params.text("after").map(str::to_owned));
    let asked = name.clone();
    let shown = move |view_of: &View| {
        let manifest = view_of.manifest();
        let own = view.as_ref().map_or(Ok(String::new()), |view| prefix_of(&asked, view, manifest))?;
        // Keys begin with both prefixes, so one of the two begins with the other, or there are none.
        let (short, long) = if own.len() < prefix.len() { (&own, &prefix) } else { (&prefix, &own) };
        let mut found = Vec::new();
        if long.starts_with(short.as_str()) {
            found = view_of.scan(long, after.as_deref(), limit + 1)?;
        }
        let is_more = found.len() > limit;
        found.truncate(limit);
        let encoding = manifest.state_encoding;
        let entries = found.iter().map(|(key, value)| Entry {
            key: key.clone(),
            value: Data::value(value, encoding),
            as_of: None,
        });
        let entries: Vec<_> = entries.collect();
        let next = entries.last().filter(|_| is_more).map(|entry| entry.key.clone());
        let (checkpoint, identity, as_of) = (view_of.checkpoint(), view_of.identity(), view_of.as_of());
        Ok(Read { checkpoint, value: StatePage { entries, checkpoint, identity, next, as_of } })
    };
    read(host, access, form, (name, params), shown).await
}

fn prefix_of(name: &str, view: &str, manifest: &ProjectionManifest) -> Result<String, Problem> {
    if let Some(found) = manifest.views.iter().find(|found| found.name == view) {
        return Ok(found.prefix.clone());
    }
    let views = manifest.views.iter().map(|view| view.name.as_str()).collect::<Vec<_>>().join(", ");
    let views = if views.is_empty() { "none".to_owned() } else { views };
    Err(engine::Error::UnknownView { name: name.to_owned(), view: view.to_owned(), views }.into())
}

/// Reads an entry of a state by its key, which may have slashes.
#[utoipa::path(get, path = "/projections/{name}/state/{*key}", tag = "state", operation_id = "read_entry",
    params(("name" = String, Path), ("key" = String, Path, description = "The key; a slash may stand as it is"),
        ("min_sequence" = Option<u64>, Query, description = "Wait until the state has got to this event of the log"),
        ("timeout" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds to wait at most; 10 if left out"),
        ("as_of" = Option<String>, Query, pattern = "^[0-9]{1,19}$", description = "The state as it was behind this event, or at this RFC 3339 time: behind the last event recorded by then"),
        ("as_of_occurred" = Option<String>, Query, format = DateTime, description = "Made only of the events that had occurred by then; takes a replay of all"),
        ("identity" = Option<String>, Query, min_length = 6, max_length = 64, pattern = "^[0-9a-f]+$",
            description = "Made by what has this identity, or one that begins so: what runs, or served before")),
    responses((status = 200, description = "The entry", content((Entry), ("text/event-stream")),
            headers(("Polyfold-Checkpoint" = u64, description = "Everything up to this event of the log is in it"))),
        (status = 404, description = "There is no such projection or entry"),
        (status = 504, description = "It is not at `min_sequence`, in time or for good; the detail says where, and why")))]
pub(super) async fn get(
    State(host): State<Arc<Host>>,
    access: Access,
    form: LongForm,
    params: Params,
    Path((name, key)): Path<(String, String)>,
) -> Answered {
    params.only(&[&["min_sequence", "timeout"], &past::NAMES[..]].concat())?;
    let asked = name.clone();
    let found = move |view: &View| {
        let Some(value) = view.get(&key)? else {
            return Err(Problem::new(
                Code::UnknownKey,
                format!("projection {asked:?} has no entry {key:?}{}", then(view)),
            ));
        };
        let value = Data::value(&value, view.manifest().state_encoding);
        let (key, as_of) = (key.clone(), view.as_of());
        Ok(Read { checkpoint: view.checkpoint(), value: Entry { key, value, as_of } })
    };
    read(host, access, form, (name, params), found).await
}

/// When a state was as it is read, in words that follow others.
fn then(view: &View) -> String {
    view.as_of().map_or_else(String::new, |as_of| format!(" as of sequence {}", as_of.sequence))
}

/// What was read, and everything up to which event was in it.
struct Read<T> {
    checkpoint: u64,
    value: T,
}

impl<T: Serialize> Serialize for Read<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

fn at<T>(read: &Read<T>, mut response: Response) -> Response {
    response.headers_mut().insert("polyfold-checkpoint", HeaderValue::from(read.checkpoint));
    response
}

/// Reads the state as it was, if the request says of which time; else as it is when it has got to `min_sequence`.
async fn read<T: Serialize + Send + 'static>(
    host: Arc<Host>,
    access: Access,
    form: LongForm,
    (name, params): (String, Params),
    read: impl Fn(&View) -> Result<Read<T>, Problem> + Send + Sync + 'static,
) -> Answered {
    if let Some(as_of) = past::wanted(&params)? {
        let work = move |engine: &Engine, waiting: &mut Waiting<'_>| {
            past::read(engine, (&access, &name, &as_of), waiting, &read)
        };
        return past::answer(host, form, work, at).await;
    }
    let asked = name.clone();
    let found = when_reached(&host, &name, &params, move |engine, wanted| {
        let snapshot = engine.snapshot(&asked)?;
        access.may_read_projection(&snapshot.manifest)?;
        if snapshot.visible < wanted { Ok(None) } else { read(&View::Now(Box::new(snapshot))).map(Some) }
    });
    let found = found.await?;
    Ok(match form {
        LongForm::Whole(form) => at(&found, form.answer(StatusCode::OK, &found)),
        LongForm::Events => sse::response(Body::from(sse::frame("result", &found))),
    })
}

/// Reads something when the readable state has got to `min_sequence`, or at once if the request asks for no such thing.
/// Looks again when `read` finds nothing, because another state that is not so far has taken over in between.
pub(super) async fn when_reached<T: Send + 'static>(
    host: &Arc<Host>,
    name: &str,
    params: &Params,
    read: impl Fn(&Engine, Sequence) -> Result<Option<T>, Problem> + Send + Sync + 'static,
) -> Result<T, Problem> {
    let until = Instant::now() + params.seconds("timeout", 10, 60)?;
    let wanted = Sequence(params.parsed("min_sequence")?.unwrap_or(0));
    let read = Arc::new(read);
    loop {
        let (asked, reading) = (name.to_owned(), Arc::clone(&read));
        let (moved, now) = match blocking(host, move |engine| look(engine, &asked, wanted, &*reading)).await? {
            Looked::Read(found) => return Ok(found),
            Looked::Reach(Reach::Yes) if Instant::now() < until => continue,
            Looked::Reach(Reach::Yes) => return Err(not_reached(name, wanted, "another state has taken over")),
            Looked::Reach(Reach::Never(why)) => return Err(not_reached(name, wanted, &why)),
            Looked::Reach(Reach::NotYet(moved, now)) => (moved, now),
        };
        tokio::select! {
            () = moved => {}
            () = tokio::time::sleep_until(until) => {
                let why = format!("it is at sequence {} and {}", now.visible, now.phase);
                return Err(not_reached(name, wanted, &why));
            }
            () = host.service().closing().cancelled() => return Err(sse::shutting_down()),
        }
    }
}

enum Looked<T> {
    Read(T),
    Reach(Reach),
}

fn look<T>(
    engine: &Engine,
    name: &str,
    wanted: Sequence,
    read: &(impl Fn(&Engine, Sequence) -> Result<Option<T>, Problem> + ?Sized),
) -> Result<Looked<T>, Problem> {
    // Every state is at least there; asking would start it.
    if wanted > Sequence::ZERO {
        let reach = engine.reach(name, wanted)?;
        if !matches!(reach, Reach::Yes) {
            return Ok(Looked::Reach(reach));
        }
    }
    Ok(read(engine, wanted)?.map_or(Looked::Reach(Reach::Yes), Looked::Read))
}

fn not_reached(name: &str, wanted: Sequence, why: &str) -> Problem {
    Problem::new(Code::NotReached, format!("projection {name:?} has not reached sequence {wanted}: {why}"))
}
