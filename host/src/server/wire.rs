//! A connection's bytes: what was looked at before is read again, and a peer that stops reading is cut off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A stream whose writes must get on.
pub(super) struct Wire<S> {
    stream: S,
    /// Read from the stream, but not yet by whom it is for.
    ahead: Bytes,
    stall: Duration,
    /// When a write that waits for the peer is given up.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    pub(super) fn new(stream: S, stall: Duration) -> Self {
        Self { stream, ahead: Bytes::new(), stall, blocked: None }
    }

    /// Looks which protocol the peer speaks; none if it left without a word.
    pub(super) async fn protocol(&mut self) -> io::Result<Option<Protocol>> {
        let (mut start, mut length) = ([0; PREFACE.len()], 0);
        while length < start.len() && start[..length] == PREFACE[..length] {
            match self.stream.read(&mut start[length..]).await? {
                0 => break,
                more => length += more,
            }
        }
        self.ahead = Bytes::copy_from_slice(&start[..length]);
        let protocol = if start[..length] == *PREFACE { Protocol::Http2 } else { Protocol::Http1 };
        Ok((length > 0).then_some(protocol))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..length]);
        self.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: Unpin> Wire<S> {
    /// Passes an answer of the stream on; one that waits is waited for only so long.
    fn limited<T>(&mut self, cx: &mut Context<'_>, answer: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if answer.is_ready() {
            self.blocked = None;
            return answer;
        }
        let stall = self.stall;
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
        ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limited(cx, answer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.limited(cx, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_flush(cx);
        self.limited(cx, answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limited(cx, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    async fn protocol_of(bytes: &[u8]) -> (Option<Protocol>, Vec<u8>) {
        let mut wire = Wire::new(bytes, Duration::from_secs(1));
        let protocol = wire.protocol().await.unwrap();
        let mut read = Vec::new();
        wire.read_to_end(&mut read).await.unwrap();
        (protocol, read)
    }

    #[tokio::test]
    async fn what_was_looked_at_is_read_again() {
        for (bytes, protocol) in [
            (&b""[..], None),
            (b"G", Some(Protocol::Http1)),
            (b"PRI * HTTP/1", Some(Protocol::Http1)),
            (b"POST /events HTTP/1.1\r\nhost: x\r\n\r\n", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Some(Protocol::Http2)),
        ] {
            assert_eq!(protocol_of(bytes).await, (protocol, bytes.to_vec()), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_cut_off() {
        let (near, _far) = tokio::io::duplex(4);
        let mut wire = Wire::new(near, Duration::from_secs(30));
        let error = wire.write_all(b"more than it holds").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
