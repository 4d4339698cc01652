//! The stream that a host sends: frames, each `kind u8 ‖ length u32 LE ‖ payload`.
//!
//! ```text
//! 1 begin   JSON [`Begin`]
//! 2 file    JSON [`Sent`]: a file follows in pieces
//! 3 piece   bytes of that file
//! 4 whole   JSON [`Whole`]: that file ends
//! 5 kept    JSON [`Sent`]: a file that the client said it has, and that is still so
//! 6 log     JSON [`LogBegins`]: the log's blocks follow
//! 7 block   a block as the log has it
//! 8 end     JSON [`End`]: all was sent
//! 9 problem JSON, a problem (RFC 9457): the host cannot go on
//! ```

use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BackupError;

/// The largest frame: a block, or a piece of a file.
const FRAME_BYTES_MAX: usize = 8 << 20;
const HEAD_BYTES: usize = 5;
/// The format of the stream. A client takes every one up to its own.
pub(super) const FORMAT: u32 = 1;

/// What a client has already, and what it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// Where the blocks end that it has; all are sent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// The digests of plugins that it has.
    #[serde(default)]
    pub plugins: Vec<String>,
    /// Whether states are wanted.
    #[serde(default)]
    pub with_states: bool,
    /// The states that it has.
    #[serde(default)]
    pub states: Vec<KnownState>,
    /// Whether snapshots are wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_snapshots: bool,
    /// The snapshots that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<KnownSnapshots>,
    /// Whether the files of the archive are wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_archives: bool,
    /// The files of the archive that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<KnownArchive>,
}

/// Where the blocks of a backup end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Since {
    pub log_id: String,
    pub sequence: u64,
    pub chain_head: String,
    /// How often the log had written blocks other than the last anew; if it has since, all are sent.
    pub rewrites: u64,
    /// The first sequence of the last block, which is sent again if it has grown.
    pub last_block: u64,
}

/// A copy of a state at one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownState {
    pub identity: String,
    pub sequence: u64,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownArchive {
    pub name: String,
    /// Stands for what is in it.
    pub version: String,
}

/// A copy of all snapshots of a projection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownSnapshots {
    pub projection: String,
    /// Stands for what is in it.
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begin {
    /// The format of the stream.
    pub(super) format: u32,
    pub(super) log_id: String,
    /// The program that sends it.
    pub(super) made_by: String,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Sent {
    File { name: String },
    Plugin { digest: String },
    State { projection: String, identity: String, sequence: u64, chain_head: String },
    Snapshots { projection: String, version: String },
    Archive { name: String, version: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whole {
    pub(super) digest: String,
    pub(super) bytes: u64,
}

/// Where the log ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogBegins {
    pub(super) sequence: u64,
    pub(super) recorded_at: Option<String>,
    pub(super) chain_head: String,
    pub(super) rewrites: u64,
    /// The first sequence of the first block to come; 1 sends all.
    pub(super) from: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) blocks: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Frame {
    Begin(Begin),
    File(Sent),
    Piece(Bytes),
    Whole(Whole),
    Kept(Sent),
    Log(LogBegins),
    Block(Bytes),
    End(End),
    Problem(String),
}

const BEGIN: u8 = 1;
const FILE: u8 = 2;
const PIECE: u8 = 3;
const WHOLE: u8 = 4;
const KEPT: u8 = 5;
const LOG: u8 = 6;
const BLOCK: u8 = 7;
const END: u8 = 8;
const PROBLEM: u8 = 9;

impl Frame {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Begin(begin) => put(out, BEGIN, &json(begin)),
            Self::File(sent) => put(out, FILE, &json(sent)),
            Self::Piece(bytes) => put(out, PIECE, bytes),
            Self::Whole(whole) => put(out, WHOLE, &json(whole)),
            Self::Kept(sent) => put(out, KEPT, &json(sent)),
            Self::Log(log) => put(out, LOG, &json(log)),
            Self::Block(bytes) => put(out, BLOCK, bytes),
            Self::End(end) => put(out, END, &json(end)),
            Self::Problem(problem) => put(out, PROBLEM, problem.as_bytes()),
        }
    }

    fn read(kind: u8, payload: Bytes) -> Result<Self, BackupError> {
        Ok(match kind {
            BEGIN => Self::Begin(parsed(&payload)?),
            FILE => Self::File(parsed(&payload)?),
            PIECE => Self::Piece(payload),
            WHOLE => Self::Whole(parsed(&payload)?),
            KEPT => Self::Kept(parsed(&payload)?),
            LOG => Self::Log(parsed(&payload)?),
            BLOCK => Self::Block(payload),
            END => Self::End(parsed(&payload)?),
            PROBLEM => Self::Problem(String::from_utf8_lossy(&payload).into_owned()),
            _ => return Err(BackupError::BrokenOff(format!("a frame of kind {kind}, which a newer host sends"))),
        })
    }
}

/// A block's frame, without a copy of the block in between.
pub(super) fn put_block(out: &mut Vec<u8>, block: &[u8]) {
    put(out, BLOCK, block);
}

/// The last frame of a stream that cannot go on; `problem` is JSON.
pub fn problem_frame(problem: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, PROBLEM, problem.as_bytes());
    out
}

fn put(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(payload);
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("frames are plain data")
}

fn parsed<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, BackupError> {
    let understood = serde_json::from_slice(payload);
    understood.map_err(|error| BackupError::BrokenOff(format!("a frame is not understood: {error}")))
}

/// Frames out of bytes that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Frames(BytesMut);

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next frame, if all of it has come.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, BackupError> {
        let Some((head, rest)) = self.0.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [kind, length @ ..] = *head;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(BackupError::BrokenOff(format!("a frame of {length} bytes, more than any has")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.0.advance(HEAD_BYTES);
        Frame::read(kind, self.0.split_to(length).freeze()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_however_they_come() {
        let mut stream = Vec::new();
        Frame::Whole(Whole { digest: "d".to_owned(), bytes: 7 }).put(&mut stream);
        put_block(&mut stream, b"block");
        for piece in 1..9 {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.push(bytes);
                while let Some(frame) = frames.next().unwrap() {
                    found.push(frame);
                }
            }
            assert!(matches!(&found[..], [Frame::Whole(whole), Frame::Block(block)]
                if whole.bytes == 7 && **block == *b"block"));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [b"\x0a\0\0\0\0".as_slice(), b"\x07\xff\xff\xff\xff", b"\x01\x01\0\0\0{"] {
            let mut frames = Frames::default();
            frames.push(bytes);
            assert!(matches!(frames.next(), Err(BackupError::BrokenOff(_))), "{bytes:?}");
        }
    }
}
