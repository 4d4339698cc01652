//! The addresses that a host answers at: a socket in the data directory, and TCP.

use std::fs::{DirBuilder, File};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::access::Door;

/// The bytes of a path in a socket's address, without the zero at its end.
const SOCKET_PATH_MAX: usize = 107;

/// A place where connections come in.
#[derive(Debug)]
pub(super) enum Listener {
    Socket(UnixListener),
    Tcp(TcpListener),
}

/// A connection that came in.
pub(super) enum Stream {
    Socket(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    pub(super) async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }

    /// Where a TCP listener really is; the port may have been left to the system.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Socket(_) => Ok(None),
            Self::Tcp(listener) => listener.local_addr().map(Some),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Door)> {
        match self {
            Self::Socket(listener) => Ok((Stream::Socket(listener.accept().await?.0), Door::Socket)),
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Small answers should not wait for more of them.
                stream.set_nodelay(true)?;
                let is_here = |address: SocketAddr| address.ip().to_canonical().is_loopback();
                let is_local = is_here(peer) && is_here(stream.local_addr()?);
                Ok((Stream::Tcp(stream), if is_local { Door::Loopback } else { Door::Network }))
            }
        }
    }
}

/// The socket in a data directory, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket(PathBuf);

impl Socket {
    /// Binds the socket, for its owner only from the first moment on: it is made where nobody else can look, and moved
    /// to its place when it is ready. One that a killed host left is replaced, for who has the directory's lock is alone.
    pub(super) fn bind(dir: &Path) -> io::Result<(Self, Listener)> {
        let (path, hidden) = (dir.join("socket"), dir.join(".socket"));
        match std::fs::remove_dir_all(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => DirBuilder::new().mode(0o700).create(&hidden)?,
        }
        let made = hidden.join("socket");
        let listener = bind(&hidden, &made)?;
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&made, &path)?;
        std::fs::remove_dir(&hidden)?;
        Ok((Self(path), Listener::Socket(listener)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!("{}: {error}", self.0.display());
        }
    }
}

/// A path that is too long for an address is reached through the open directory, whose own path is short.
fn bind(dir: &Path, path: &Path) -> io::Result<UnixListener> {
    if path.as_os_str().len() <= SOCKET_PATH_MAX {
        return UnixListener::bind(path);
    }
    let dir = File::open(dir)?;
    UnixListener::bind(format!("/proc/self/fd/{}/socket", dir.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dir: &Path) {
        for _ in 0..2 {
            let (socket, listener) = Socket::bind(dir).unwrap();
            assert_eq!(socket.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let link = tempfile::tempdir().unwrap();
            std::os::unix::fs::symlink(dir, link.path().join("d")).unwrap();
            std::os::unix::net::UnixStream::connect(link.path().join("d/socket")).unwrap();
            // As a killed host leaves it.
            std::mem::forget(socket);
            drop(listener);
        }
        let (socket, _listener) = Socket::bind(dir).unwrap();
        drop(socket);
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0, "nothing is left");
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_replaces_a_stale_one() {
        check(tempfile::tempdir().unwrap().path());
    }

    #[tokio::test]
    async fn a_long_path_is_no_hindrance() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        check(&long);
    }
}
