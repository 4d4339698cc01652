//! `serve`: runs the host of a data directory until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Context;
use super::error::Error;
use super::settings::{Service, Settings};
use crate::engine::{Engine, Options};
use crate::server::problem::Problem;
use crate::server::{self, Address, Host, Patience, ServeOptions, Tls};

/// How long work that cannot be broken off may go on behind the grace period.
const LAST_WORK: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) service: Service,
}

#[derive(serde::Serialize)]
struct Listening {
    listening: String,
}

impl Serve {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let options = options(&context.settings)?;
        let opening =
            Options { holder: "polyfold serve".to_owned(), probe: context.settings.probe, ..context.options.clone() };
        let engine = Engine::open(&context.settings.data_dir, &opening).map_err(Error::of)?;
        tracing::info!(pid = std::process::id(), data_dir = %engine.dir().display(), head = engine.head().sequence().0, "started");
        let host = Host::open(Arc::new(engine)).map_err(|error| Error::Problem(Box::new(Problem::from(error))))?;
        let failed = |error| Error::Incomplete(format!("the operating system gives no runtime: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        let mut announced = Ok(());
        let served = runtime.block_on(async {
            let shutdown = signalled().map_err(failed)?;
            let announce = |addresses: &[Address]| announced = announce(context, addresses);
            let served = server::serve(Arc::new(host), options, announce, shutdown).await;
            served.map_err(|error| Error::Incomplete(error.to_string()))
        });
        // Then the engine is nobody's any more, and goes: it finishes accepted appends and commits states.
        runtime.shutdown_timeout(LAST_WORK);
        served.and(announced)
    }
}

/// Says where the host listens, so that whoever started it can wait for that.
fn announce(context: &mut Context, addresses: &[Address]) -> Result<(), Error> {
    for address in addresses {
        tracing::info!(%address, "listening");
        let listening = Listening { listening: address.to_string() };
        context.output.data(&listening, |listening| format!("listening on {}", listening.listening))?;
    }
    context.output.flush()
}

/// Is over at the first signal to stop. The second ends the process as it stands.
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            tracing::warn!("stopped at once by a second signal");
            std::process::exit(1);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn options(settings: &Settings) -> Result<ServeOptions, Error> {
    let tls = match (settings.tls_cert.clone(), settings.tls_key.clone()) {
        (Some(cert), Some(key)) => Some(Tls { cert, key }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Error::Usage("TLS needs both --tls-cert and --tls-key".to_owned()));
        }
    };
    if settings.max_connections == 0 {
        return Err(Error::Usage("--max-connections must let one in at least".to_owned()));
    }
    Ok(ServeOptions {
        listen: settings.listen.clone(),
        tls,
        require_token: settings.require_token,
        connections_max: settings.max_connections,
        patience: Patience { headers: settings.header_timeout, body: settings.body_timeout },
        grace: settings.grace,
    })
}
