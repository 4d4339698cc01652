//! States as they were: which of them a request means, and answers that take a replay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::accept::LongForm;
use super::answer::blocking;
use super::model;
use super::params::Params;
use super::problem::Problem;
use super::{Host, sse};
use crate::engine::{self, AsOf, Engine, Past, Snapshot, Waiting};

/// The query of every route that reads a state as it was.
pub(super) const NAMES: [&str; 3] = ["as_of", "as_of_occurred", "identity"];

/// A state that is read: as it is, or as it was.
pub(super) enum View {
    Now(Box<Snapshot>),
    Past(Arc<Past>),
}

impl View {
    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Problem> {
        Ok(match self {
            Self::Now(snapshot) => snapshot.reader.get(key)?,
            Self::Past(past) => past.get(key)?,
        })
    }

    pub(super) fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Problem> {
        Ok(match self {
            Self::Now(snapshot) => snapshot.reader.scan(prefix, after, limit)?,
            Self::Past(past) => past.scan(prefix, after, limit)?,
        })
    }

    pub(super) fn manifest(&self) -> &engine::ProjectionManifest {
        match self {
            Self::Now(snapshot) => &snapshot.manifest,
            Self::Past(past) => &past.manifest,
        }
    }

    pub(super) fn identity(&self) -> String {
        match self {
            Self::Now(snapshot) => snapshot.identity.to_string(),
            Self::Past(past) => past.identity.to_string(),
        }
    }

    /// Everything up to here is in it.
    pub(super) fn checkpoint(&self) -> u64 {
        match self {
            Self::Now(snapshot) => snapshot.visible.0,
            Self::Past(past) => past.reached.0,
        }
    }

    /// Of which time it is; none of one as it is now.
    pub(super) fn as_of(&self) -> Option<model::AsOf> {
        let Self::Past(past) = self else { return None };
        let halted = past.halted.as_ref().map(|fault| engine::Phase::Halted(fault.clone()).to_string());
        Some(model::AsOf {
            sequence: past.sequence.0,
            identity: past.identity.to_string(),
            checkpoint: past.reached.0,
            halted,
            origin: past.origin.as_str().to_owned(),
            from: past.from.0,
            unused: past.unused.clone(),
            missing: super::retention::missing(past.missing),
        })
    }
}

/// Which state as it was a request means; none if it means the present one.
pub(super) fn wanted(params: &Params) -> Result<Option<AsOf>, Problem> {
    let as_of = AsOf {
        at: params.parsed("as_of")?,
        occurred: params.parsed("as_of_occurred")?,
        identity: params.text("identity").map(str::to_owned),
    };
    if as_of == AsOf::default() {
        return Ok(None);
    }
    // min_sequence and timeout are for the present state: here nothing has to be waited for.
    Ok(Some(as_of))
}

/// Sets a flag when it goes: who asked waits no longer.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Answers with what takes a while to make, or where the client asks for it with the way there as well. It is ended when
/// the client is gone.
pub(super) async fn answer<T: Serialize + Send + 'static>(
    host: Arc<Host>,
    form: LongForm,
    work: impl FnOnce(&Engine, &mut Waiting<'_>) -> Result<T, Problem> + Send + 'static,
    finish: impl FnOnce(&T, Response) -> Response,
) -> Result<Response, Problem> {
    let leaving = Leaving(Arc::default());
    let stop = Arc::clone(&leaving.0);
    if let LongForm::Whole(form) = form {
        let made = blocking(&host, move |engine| work(engine, &mut Waiting { stop, watch: &mut |_| {} })).await?;
        return Ok(finish(&made, form.answer(StatusCode::OK, &made)));
    }
    let (frames, body) = sse::channel();
    tokio::spawn(async move {
        let progress = frames.clone();
        let target = host.engine().head().sequence().0;
        let done = blocking(&host, move |engine| {
            let gone = Arc::clone(&stop);
            let mut watch = |now: &engine::Progress| {
                // A reader that is behind misses a report; one that is gone misses them all.
                drop(progress.try_send(Ok(sse::frame("progress", &sse::progress(now, target)).into())));
                if progress.is_closed() {
                    gone.store(true, Ordering::Relaxed);
                }
            };
            work(engine, &mut Waiting { stop, watch: &mut watch })
        });
        let done = tokio::select! {
            done = done => done,
            () = frames.closed() => return drop(leaving),
        };
        let last = match done {
            Ok(value) => sse::frame("result", &value),
            Err(problem) => sse::frame("error", &problem),
        };
        sse::send(&frames, last).await;
    });
    Ok(sse::response(body).into_response())
}

/// Reads something of a projection's state as it was; once more if it lay over a snapshot that turns out to be damaged.
pub(super) fn read<T>(
    engine: &Engine,
    (access, name, as_of): (&super::Access, &str, &AsOf),
    waiting: &mut Waiting<'_>,
    read: impl Fn(&View) -> Result<T, Problem>,
) -> Result<T, Problem> {
    loop {
        let past = past(engine, access, name, as_of, waiting)?;
        let found = read(&View::Past(Arc::clone(&past)));
        match past.damage() {
            None => return found,
            Some(why) => engine.drop_damaged(name, &why),
        }
    }
}

fn past(
    engine: &Engine,
    access: &super::Access,
    name: &str,
    as_of: &AsOf,
    waiting: &mut Waiting<'_>,
) -> Result<Arc<Past>, Problem> {
    if access.is_limited() {
        access.may_read_projection(&*engine.manifest(name)?)?;
    }
    let past = engine.past(name, as_of, waiting)?;
    access.may_read_projection(&past.manifest)?;
    Ok(past)
}
