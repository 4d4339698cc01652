//! Serves a host at its addresses until it is told to stop, and then finishes what it has accepted.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Host;
use super::access::Door;
use super::connection::{Connections, Patience};
use super::gate;
use super::listen::{Listener, Socket, Stream};
use super::quiet::keep_house;
use super::tls::{Tls, TlsError};

/// Connections at once. Each takes a file and some ten thousand bytes.
pub const CONNECTIONS_MAX: usize = 16 * 1024;

/// Between two tries when the machine has no room for another connection.
const RETRY: Duration = Duration::from_millis(50);

/// How a host serves.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The addresses beside the socket.
    pub listen: Vec<SocketAddr>,
    /// Makes TLS of every TCP address.
    pub tls: Option<Tls>,
    /// Whether tokens are required on loopback addresses too.
    pub require_token: bool,
    pub connections_max: usize,
    pub patience: Patience,
    /// How long accepted requests have to finish.
    pub grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            require_token: false,
            connections_max: CONNECTIONS_MAX,
            patience: Patience::default(),
            grace: Duration::from_secs(10),
        }
    }
}

/// What keeps a host from serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{}: {source}; a data directory must lie where sockets can be made", path.display())]
    Socket { path: PathBuf, source: io::Error },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// An address that a host answers at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Socket(PathBuf),
    Http(SocketAddr),
    Https(SocketAddr),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Http(address) => write!(f, "http://{address}"),
            Self::Https(address) => write!(f, "https://{address}"),
        }
    }
}

/// Serves until `shutdown` is over and all that was accepted is answered. `announce` is told the addresses once every
/// projection that can has started.
pub async fn serve(
    host: Arc<Host>,
    options: ServeOptions,
    announce: impl FnOnce(&[Address]),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    allow_many_files();
    let (socket, listeners, addresses) = bind(&host, &options).await?;
    let connections = Connections {
        router: gate::guarded(super::router(Arc::clone(&host)), &host, options.require_token),
        tls: options.tls.as_ref().map(Tls::acceptor).transpose()?,
        patience: options.patience,
        drained: CancellationToken::new(),
    };
    warn_of_open_doors(&host, &options);
    let (open, ends) = (TaskTracker::new(), Ends { closing: CancellationToken::new(), cut: CancellationToken::new() });
    let room = Arc::new(Semaphore::new(options.connections_max));
    for listener in listeners {
        let (host, room) = (Arc::clone(&host), Arc::clone(&room));
        let entrance = Entrance { host, connections: connections.clone(), room, open: open.clone() };
        open.spawn(entrance.accept(listener, ends.clone()));
    }
    let work = async {
        start_projections(&host).await;
        announce(&addresses);
        keep_house(&host).await;
    };
    tokio::select! {
        () = shutdown => {}
        () = work => {}
    }
    stop(&host, &connections, &ends, &open, options.grace).await;
    drop(socket);
    Ok(())
}

async fn bind(host: &Host, options: &ServeOptions) -> Result<(Socket, Vec<Listener>, Vec<Address>), ServeError> {
    let dir = host.engine().dir();
    let failed = |source| ServeError::Socket { path: dir.join("socket"), source };
    let (socket, listener) = Socket::bind(dir).map_err(failed)?;
    let mut listeners = vec![listener];
    let mut addresses = vec![Address::Socket(socket.path().to_owned())];
    for &address in &options.listen {
        let failed = |source| ServeError::Listen { address, source };
        let listener = Listener::tcp(address).await.map_err(failed)?;
        let bound = listener.address().map_err(failed)?.unwrap_or(address);
        addresses.push(if options.tls.is_some() { Address::Https(bound) } else { Address::Http(bound) });
        listeners.push(listener);
    }
    Ok((socket, listeners, addresses))
}

/// Starts all projections; one that cannot start is no reason for the others, or for the host, to stay down.
async fn start_projections(host: &Arc<Host>) {
    let starting = Arc::clone(host);
    let started = tokio::task::spawn_blocking(move || starting.engine().start_all()).await;
    let failed = started.unwrap_or_default().into_iter().map(|(name, error)| {
        tracing::error!(projection = name, "cannot start: {error}");
        (name, error.to_string())
    });
    host.service().set_ready(failed.collect());
}

#[derive(Clone)]
struct Ends {
    /// Nobody new is let in.
    closing: CancellationToken,
    /// Whatever is still open is cut off.
    cut: CancellationToken,
}

struct Entrance {
    host: Arc<Host>,
    connections: Connections,
    room: Arc<Semaphore>,
    open: TaskTracker,
}

impl Entrance {
    /// Lets connections in. When there is no room they wait outside, where they cost nothing.
    async fn accept(self, listener: Listener, ends: Ends) {
        loop {
            let next = async {
                // Room is taken only for who is there, so that an address where nobody comes keeps none from another.
                let accepted = listener.accept().await;
                (accepted, Arc::clone(&self.room).acquire_owned().await.expect("nobody closes it"))
            };
            let (accepted, room) = tokio::select! {
                next = next => next,
                () = ends.closing.cancelled() => return,
            };
            match accepted {
                Ok((stream, door)) => drop(self.open.spawn(self.attend(stream, door, room, ends.cut.clone()))),
                Err(error) => {
                    tracing::warn!("no connection can be let in: {error}");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Serves one connection, which keeps its room until it ends.
    fn attend(
        &self,
        stream: Stream,
        door: Door,
        room: OwnedSemaphorePermit,
        cut: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let (connections, present) = (self.connections.clone(), self.host.service().traffic().connected());
        async move {
            let _held = (room, present);
            tokio::select! {
                ended = connections.serve(stream, door) => {
                    if let Err(error) = ended {
                        tracing::debug!(?door, "a connection broke: {error}");
                    }
                }
                () = cut.cancelled() => {}
            }
        }
    }
}

/// Lets nobody in, answers what was accepted, says no to what still comes, and ends.
async fn stop(host: &Host, connections: &Connections, ends: &Ends, open: &TaskTracker, grace: Duration) {
    tracing::info!(requests_at_work = host.service().requests_open(), "stopping");
    host.service().close();
    ends.closing.cancel();
    let give_up = tokio::time::sleep(grace);
    open.close();
    let finish = async {
        host.service().all_answered().await;
        // Only now: a connection that waits for its next request is answered until the last of them is through.
        connections.drained.cancel();
        open.wait().await;
    };
    tokio::select! {
        () = finish => tracing::info!("stopped"),
        () = give_up => tracing::warn!("{} requests are cut off after the grace period", host.service().requests_open()),
    }
    ends.cut.cancel();
    open.wait().await;
}

/// Each connection is a file, and most systems start programs with few.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!("no more than {:?} files can be open: {error}", limit.current);
    }
}

fn warn_of_open_doors(host: &Host, options: &ServeOptions) {
    let is_far = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    let Some(address) = options.listen.iter().find(is_far) else { return };
    if options.tls.is_none() {
        tracing::warn!("tokens and events cross the network in the clear on {address}; see --tls-cert");
    }
    if host.service().tokens().is_empty() {
        tracing::warn!("nobody has a token for {address}; see `polyfold token create`");
    }
}
