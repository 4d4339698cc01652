//! The HTTP API over an engine.

mod accept;
mod access;
mod answer;
mod archive;
mod backup;
mod changes;
mod compare;
mod connection;
mod contents;
pub mod data;
mod erasure;
mod events;
mod gate;
mod health;
mod keys;
mod listen;
mod log;
mod metrics;
pub mod model;
mod openapi;
pub mod origin;
mod params;
mod past;
mod plugins;
pub mod problem;
mod projections;
mod quiet;
mod receipts;
mod retention;
mod serve;
mod service;
mod sse;
mod state;
mod tls;
mod tokens;
mod trace;
mod trust;
mod wire;

pub use access::{Access, Door};
pub use connection::Patience;
pub use serve::{Address, CONNECTIONS_MAX, ServeError, ServeOptions, serve};
pub use service::Service;
pub use tls::{Tls, TlsError};
pub use tokens::{TokenError, Tokens};

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::{Router, middleware};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::engine::Engine;
use crate::event::Sequence;

#[derive(Debug)]
pub struct Host {
    engine: Arc<Engine>,
    service: Service,
    head: OnceLock<watch::Receiver<Sequence>>,
    feeds: changes::Feeds,
    document: OnceLock<Bytes>,
}

impl Host {
    pub fn open(engine: Arc<Engine>) -> Result<Self, TokenError> {
        let service = Service::open(engine.dir())?;
        let (head, feeds, document) = (OnceLock::new(), changes::Feeds::default(), OnceLock::new());
        Ok(Self { engine, service, head, feeds, document })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    fn feeds(&self) -> &changes::Feeds {
        &self.feeds
    }

    /// What describes the routes, made when it is first asked for.
    fn document(&self) -> Bytes {
        self.document.get_or_init(document).clone()
    }

    /// Where the log ends, for tasks that wait for more. One task hears the writer for all of them, so that it wakes one
    /// and not thousands.
    fn head(&self) -> watch::Receiver<Sequence> {
        let bridged = self.head.get_or_init(|| {
            let (sender, receiver) = watch::channel(self.engine.head().sequence());
            tokio::spawn(bridge(Arc::downgrade(&self.engine), sender));
            receiver
        });
        bridged.clone()
    }
}

async fn bridge(engine: std::sync::Weak<Engine>, head: watch::Sender<Sequence>) {
    loop {
        // Not held while it waits: the engine closes when everyone else is done with it.
        let Some(engine) = engine.upgrade() else { return };
        let moved = engine.head().listen();
        let sequence = engine.head().sequence();
        drop(engine);
        head.send_if_modified(|known| std::mem::replace(known, sequence) != sequence);
        tokio::select! {
            () = moved => {}
            () = head.closed() => return,
        }
    }
}

/// Every route; each describes itself.
pub fn router(host: Arc<Host>) -> Router {
    let (router, _) = routes().split_for_parts();
    router.layer(CatchPanicLayer::custom(answer::panicked)).layer(middleware::from_fn(answer::finish)).with_state(host)
}

fn routes() -> OpenApiRouter<Arc<Host>> {
    OpenApiRouter::new()
        .routes(routes!(log::show))
        .routes(routes!(log::verify))
        .routes(routes!(backup::send))
        .routes(routes!(retention::show))
        .routes(routes!(archive::list))
        .routes(routes!(archive::verify))
        .routes(routes!(archive::restore))
        .routes(routes!(retention::plan))
        .routes(routes!(retention::run))
        .routes(routes!(keys::encrypt))
        .routes(routes!(keys::list))
        .routes(routes!(keys::export))
        .routes(routes!(keys::import))
        .routes(routes!(erasure::forget))
        .routes(routes!(erasure::redact))
        .routes(routes!(events::append::append, events::read::events))
        .routes(routes!(events::stream::follow))
        .routes(routes!(changes::follow))
        .routes(routes!(events::read::stream))
        .routes(routes!(plugins::install, plugins::list))
        .routes(routes!(plugins::examine))
        .routes(routes!(contents::of_file))
        .routes(routes!(contents::of_plugin))
        .routes(routes!(trust::show, trust::require))
        .routes(routes!(trust::add))
        .routes(routes!(trust::remove))
        .routes(routes!(plugins::inspect, plugins::remove))
        .routes(routes!(trace::upcaster))
        .routes(routes!(projections::create, projections::list))
        .routes(routes!(projections::show, projections::delete))
        .routes(routes!(projections::faults))
        .routes(routes!(projections::quarantine::list))
        .routes(routes!(projections::snapshots::list, projections::snapshots::take))
        .routes(routes!(projections::snapshots::remove))
        .routes(routes!(projections::snapshots::history))
        .routes(routes!(projections::snapshots::set_keep))
        .routes(routes!(projections::debug::debug))
        .routes(routes!(projections::explain::explain))
        .routes(routes!(projections::operate::rebuild))
        .routes(routes!(projections::operate::upgrade))
        .routes(routes!(projections::operate::quota))
        .routes(routes!(projections::operate::promote))
        .routes(routes!(projections::operate::rollback))
        .routes(routes!(projections::operate::abandon))
        .routes(routes!(projections::operate::verify))
        .routes(routes!(compare::compare))
        .routes(routes!(trace::projection))
        .routes(routes!(receipts::of_projection))
        .routes(routes!(receipts::entry))
        .routes(routes!(receipts::event))
        .routes(routes!(receipts::key))
        .routes(routes!(receipts::check))
        .routes(routes!(state::scan))
        .routes(routes!(state::get))
        .routes(routes!(state::view))
        .routes(routes!(tokens::routes::list, tokens::routes::create))
        .routes(routes!(tokens::routes::revoke))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::show))
}

/// The OpenAPI document of all routes.
fn document() -> Bytes {
    let api = openapi::complete(routes().into_openapi());
    serde_json::to_vec(&api).expect("the description is plain data").into()
}

#[cfg(test)]
mod tests;
