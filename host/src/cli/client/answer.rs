//! Answers of the API: whole ones, lines, events that say how far work is, and problems.

use axum::body::Body;
use axum::http::Response;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;

use crate::cli::error::Error;
use crate::server::problem::Problem;

/// The largest answer that is kept whole: a page of values of their largest size, as JSON, with room to spare.
const WHOLE_BYTES_MAX: usize = 1 << 30;

/// Lets a successful answer pass; any other becomes the error that it tells of.
pub(super) async fn checked(response: Response<Body>) -> Result<Response<Body>, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = whole(response).await?;
    Err(match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Error::Problem(Box::new(problem)),
        Err(_) => Error::Broken(format!("the host answered {status} without saying why")),
    })
}

pub(super) async fn whole(response: Response<Body>) -> Result<Bytes, Error> {
    let body = Limited::new(response.into_body(), WHOLE_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| broken_off(&*error))
}

fn broken_off(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Broken(format!("the answer broke off: {}", deepest(error)))
}

/// The cause behind an error: what wraps it says less.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        (text, source) = (cause.to_string(), cause.source());
    }
    text
}

/// An answer in the pieces in which it comes.
pub(super) struct Pieces(Body);

impl Pieces {
    pub(super) fn of(response: Response<Body>) -> Self {
        Self(response.into_body())
    }

    /// The next piece, or none when the answer has come to its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.0.frame().await {
            if let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// The lines of an answer that comes bit by bit.
pub(super) struct Lines {
    body: Body,
    rest: BytesMut,
    /// How much of `rest` is known to have no line's end.
    searched: usize,
}

impl Lines {
    pub(super) fn of(response: Response<Body>) -> Self {
        Self { body: response.into_body(), rest: BytesMut::new(), searched: 0 }
    }

    /// The next line without its end, or none when the answer has come to its own end.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            if let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.searched + end);
                self.rest.advance(1);
                self.searched = 0;
                return text(&line).map(Some);
            }
            self.searched = self.rest.len();
            let Some(frame) = self.body.frame().await else { break };
            if let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        Err(Error::Broken("the answer broke off within a line".to_owned()))
    }
}

fn text(line: &[u8]) -> Result<String, Error> {
    let line = std::str::from_utf8(line).map_err(|_| Error::Broken("the host's answer is not UTF-8".to_owned()))?;
    Ok(line.trim_end_matches('\r').to_owned())
}

/// Server-Sent Events of long work: how far it is, then what it led to.
pub(super) struct Events(Lines);

/// One event: its name and its data.
type Event = (String, String);

impl Events {
    pub(super) fn of(response: Response<Body>) -> Self {
        Self(Lines::of(response))
    }

    /// Tells `watch` of all progress, and returns the result.
    pub(super) async fn outcome<P: DeserializeOwned, T: DeserializeOwned>(
        mut self,
        watch: &mut impl FnMut(&P),
    ) -> Result<T, Error> {
        while let Some((name, data)) = self.next().await? {
            match name.as_str() {
                "progress" => watch(&understood(&data)?),
                "result" => {
                    // An answer that is not read to its end costs the connection.
                    while let Ok(Some(_)) = self.next().await {}
                    return understood(&data);
                }
                "error" => return Err(Error::Problem(Box::new(understood(&data)?))),
                // A later host may say more.
                _ => {}
            }
        }
        Err(Error::Broken("the host ended before the work did; run the command again".to_owned()))
    }

    async fn next(&mut self) -> Result<Option<Event>, Error> {
        let (mut name, mut data) = (String::new(), String::new());
        while let Some(line) = self.0.next().await? {
            match line.split_once(':') {
                None if line.is_empty() && !name.is_empty() => return Ok(Some((name, data))),
                Some(("event", value)) => name = value.trim_start().to_owned(),
                Some(("data", value)) => data.push_str(value.strip_prefix(' ').unwrap_or(value)),
                // An id, a comment, or a blank line behind one.
                Some(_) | None => {}
            }
        }
        Ok(None)
    }
}

fn understood<T: DeserializeOwned>(data: &str) -> Result<T, Error> {
    serde_json::from_str(data).map_err(|error| Error::Broken(format!("the host's answer is not understood: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::model::Progress;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// An answer that comes in pieces of so many bytes.
    fn answer(text: &'static str, bytes: usize) -> Response<Body> {
        let pieces = text.as_bytes().chunks(bytes).map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece)));
        Response::new(Body::from_stream(tokio_stream::iter(pieces.collect::<Vec<_>>())))
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        for bytes in 1..9 {
            let mut lines = Lines::of(answer("one\n\nthree ü\r\n", bytes));
            let mut next = || block_on(lines.next()).unwrap();
            assert_eq!([next(), next()], [Some("one".to_owned()), Some(String::new())]);
            assert_eq!([next(), next()], [Some("three ü".to_owned()), None]);
        }
        let mut lines = Lines::of(answer("one\ntw", 3));
        assert_eq!(block_on(lines.next()).unwrap(), Some("one".to_owned()));
        assert_eq!(block_on(lines.next()).unwrap_err().to_string(), "the answer broke off within a line");
    }

    #[test]
    fn work_ends_with_its_result() {
        let progress = "{\"sequence\":1,\"head\":2,\"events_per_second\":1.0,\"remaining_seconds\":null}";
        let text = format!(":\n\nevent: progress\ndata: {progress}\n\nid: 1\nevent:result\ndata:7\n\n");
        let mut seen = Vec::new();
        let events = Events::of(answer(text.leak(), 5));
        let result: u64 = block_on(events.outcome(&mut |progress: &Progress| seen.push(progress.sequence))).unwrap();
        assert_eq!((result, seen), (7, vec![1]));
        let mut unseen = |_: &Progress| {};
        let broken = Events::of(answer("event: progress\n", 5)).outcome::<Progress, u64>(&mut unseen);
        let broken = block_on(broken).unwrap_err().to_string();
        assert_eq!(broken, "the host ended before the work did; run the command again");
    }
}
