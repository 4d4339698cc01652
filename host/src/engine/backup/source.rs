//! What a host sends for a backup: small files, plugins, states, then the log's blocks.
//!
//! The log comes last, and its snapshot begins then: no state that was sent is ahead of it. Each snapshot is held only while it
//! is sent, so that files do not grow for want of free pages; appends and commits go on.

use std::fs::File;
use std::io::{ErrorKind, Read as _};

use super::frame::{
    BackupRequest, Begin, End, FORMAT, Frame, KnownArchive, KnownSnapshots, KnownState, LogBegins, Sent, Whole,
    put_block,
};
use super::manifest::FOLDED;
use crate::engine::{Deployment, Engine, Error, Projection, sealed};
use crate::event::{Digest, Sequence};
use crate::log;
use crate::state;

/// What is handed to the transport at once, beside the frame that filled it.
const OUT_BYTES: usize = 256 << 10;
/// A piece of a file.
const PIECE_BYTES: usize = 1 << 20;

const CATALOGUE: &str = "catalogue.json";
/// The files of a data directory that are copied as they are, if they are there. Each is only ever replaced as a whole.
/// The keys of encrypted streams are in no backup, so that forgetting reaches old ones.
const FILES: [&str; 5] = ["trust.toml", "tokens.json", "polyfold.toml", "retention.json", "encryption.json"];
const HOST_KEY: &str = "host-key";
/// Far more than any of them has.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Whether the secret that signs receipts goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyToo {
    Yes,
    No,
}

/// Why sending ended early.
enum Stop {
    /// Nobody takes it any more.
    Gone,
    Failed(Box<Error>),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

impl Engine {
    /// Checks that a backup which has `request.since` can go on from it.
    pub fn check_backup(&self, request: &BackupRequest) -> Result<(), Error> {
        let Some(since) = &request.since else { return Ok(()) };
        let own = self.log().id().to_string();
        if since.log_id != own {
            return Err(Error::OtherBackup(format!("it is of log {}, this one is {own}", since.log_id)));
        }
        let (reader, sequence) = (self.log().reader()?, Sequence(since.sequence));
        let head = reader.head().sequence;
        if sequence > head {
            let why =
                format!("it ends at sequence {sequence}, the log at {head}: the log lost events, or is an older copy");
            return Err(Error::OtherBackup(why));
        }
        let chain = match reader.chain_at(sequence) {
            // Behind folded events nothing tells; the log was rewritten since, and all of it is sent.
            Err(log::Error::InFolded { .. }) => return Ok(()),
            chain => chain?,
        };
        if chain.to_string() != since.chain_head {
            let why =
                format!("the events up to {sequence} are not those in the log: it is of another history of the log");
            return Err(Error::OtherBackup(why));
        }
        Ok(())
    }

    /// Sends all that a backup needs and has not yet, in pieces; `sink` says whether anybody takes more.
    pub fn send_backup(
        &self,
        request: &BackupRequest,
        key: HostKeyToo,
        sink: &mut dyn FnMut(Vec<u8>) -> bool,
    ) -> Result<(), Error> {
        let source = Source { engine: self, request, key };
        let mut out = Out { bytes: Vec::with_capacity(OUT_BYTES * 2), sink };
        match source.send(&mut out).and_then(|()| out.flush()) {
            Ok(()) | Err(Stop::Gone) => Ok(()),
            Err(Stop::Failed(error)) => Err(*error),
        }
    }
}

struct Source<'a> {
    engine: &'a Engine,
    request: &'a BackupRequest,
    key: HostKeyToo,
}

impl Source<'_> {
    fn send(&self, out: &mut Out<'_>) -> Result<(), Stop> {
        let log_id = self.engine.log().id().to_string();
        let made_by = format!("polyfold {}", env!("CARGO_PKG_VERSION"));
        out.frame(&Frame::Begin(Begin { format: FORMAT, log_id, made_by }))?;
        let content = self.engine.hub.catalogue.content();
        let text = sealed::seal(&*content).expect("the catalogue is plain data");
        out.file(Sent::File { name: CATALOGUE.to_owned() }, &text)?;
        for name in FILES {
            self.small_file(name, out)?;
        }
        if self.key == HostKeyToo::Yes {
            self.host_key(out)?;
        }
        for plugin in &content.plugins {
            self.plugin(&plugin.digest, out)?;
        }
        if self.request.with_states {
            for projection in content.projections.values() {
                self.states(projection, out)?;
            }
        }
        if self.request.with_snapshots {
            for name in content.projections.keys() {
                self.snapshots(name, out)?;
            }
        }
        self.log(out)
    }

    fn small_file(&self, name: &str, out: &mut Out<'_>) -> Result<(), Stop> {
        let path = self.engine.dir().join(name);
        match std::fs::metadata(&path) {
            Ok(file) if file.len() <= FILE_BYTES_MAX => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Ok(_) => {
                let source = std::io::Error::other("it is larger than 64 MiB; move it away");
                return Err(Error::File { path, source }.into());
            }
            Err(source) => return Err(Error::File { path, source }.into()),
        }
        let bytes = std::fs::read(&path).map_err(Error::file(&path))?;
        out.file(Sent::File { name: name.to_owned() }, &bytes)
    }

    /// Made now if there is none yet: whatever is restored then signs under the key that this host will have.
    fn host_key(&self, out: &mut Out<'_>) -> Result<(), Stop> {
        let is_missing = !self.engine.dir().join(HOST_KEY).exists();
        if is_missing && let Err(error) = self.engine.host_key() {
            // A disk that is full keeps nobody from a backup.
            tracing::warn!("there is no host key to back up: {error}");
        }
        self.small_file(HOST_KEY, out)
    }

    fn plugin(&self, digest: &str, out: &mut Out<'_>) -> Result<(), Stop> {
        let sent = Sent::Plugin { digest: digest.to_owned() };
        if self.request.plugins.iter().any(|known| known == digest) {
            return out.frame(&Frame::Kept(sent));
        }
        let parsed = digest.parse().expect("the catalogue checks digests when it is opened");
        out.file(sent, &self.engine.plugins.read(parsed)?)
    }

    /// Every state of a projection that there is.
    fn states(&self, projection: &Projection, out: &mut Out<'_>) -> Result<(), Stop> {
        let states = &self.engine.hub.states;
        let mut sent = Vec::new();
        for identity in projection.deployments().map(Deployment::identity) {
            if sent.contains(&identity) || !states.path(&projection.name, identity).exists() {
                continue;
            }
            let store = states.open(&projection.name, identity)?;
            let copy = state::Copy::of(&store, identity, self.engine.log().id().0)?;
            self.state(&projection.name, identity, copy, out)?;
            sent.push(identity);
        }
        Ok(())
    }

    fn state(&self, projection: &str, identity: Digest, mut copy: state::Copy, out: &mut Out<'_>) -> Result<(), Stop> {
        let (projection, identity) = (projection.to_owned(), identity.to_string());
        let (sequence, chain_head) = (copy.checkpoint.sequence.0, copy.checkpoint.chain.to_string());
        let known = KnownState { identity: identity.clone(), sequence };
        let sent = Sent::State { projection, identity, sequence, chain_head };
        if self.request.states.contains(&known) {
            return out.frame(&Frame::Kept(sent));
        }
        out.pieces(sent, &mut || Ok(copy.next_piece()?))
    }

    /// All snapshots of a projection. That they cannot be read keeps nobody from a backup: they only save time.
    fn snapshots(&self, projection: &str, out: &mut Out<'_>) -> Result<(), Stop> {
        let found = self.engine.hub.states.snapshots(projection);
        let begun = found.and_then(|found| Ok(found.map(|it| state::SnapshotsCopy::of(&it)).transpose()?.flatten()));
        let mut copy = match begun {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(projection, "its snapshots are not in the backup: {error}");
                return Ok(());
            }
        };
        let (projection, version) = (projection.to_owned(), copy.version.to_string());
        let known = KnownSnapshots { projection: projection.clone(), version: version.clone() };
        let sent = Sent::Snapshots { projection, version };
        if self.request.snapshots.contains(&known) {
            return out.frame(&Frame::Kept(sent));
        }
        out.pieces(sent, &mut || Ok(copy.next_piece()?))
    }

    fn archives(&self, out: &mut Out<'_>) -> Result<(), Stop> {
        let Some(archives) = self.engine.hub.archive.at_hand() else { return Ok(()) };
        for archive in archives.list() {
            let name = archive.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let version = archive.digest.to_string();
            let known = KnownArchive { name: name.clone(), version: version.clone() };
            let sent = Sent::Archive { name, version };
            if self.request.archives.contains(&known) {
                out.frame(&Frame::Kept(sent))?;
                continue;
            }
            let mut file = File::open(&archive.path).map_err(Error::file(&archive.path))?;
            out.pieces(sent, &mut || {
                let mut piece = vec![0; PIECE_BYTES];
                let read = file.read(&mut piece).map_err(Error::file(&archive.path))?;
                piece.truncate(read);
                Ok((read > 0).then_some(piece))
            })?;
        }
        Ok(())
    }

    fn log(&self, out: &mut Out<'_>) -> Result<(), Stop> {
        let reader = self.engine.log().reader()?;
        let head = reader.head();
        let (rewrites, from) = (reader.rewrites(), self.from(&reader)?);
        self.folded(&reader, out)?;
        // What is compacted in this view of the log was in the archive before it was.
        if self.request.with_archives {
            self.archives(out)?;
        }
        let recorded_at = (head.sequence > Sequence::ZERO).then(|| head.recorded_at.to_string());
        let (sequence, chain_head) = (head.sequence.0, head.chain.to_string());
        out.frame(&Frame::Log(LogBegins { sequence, recorded_at, chain_head, rewrites, from: from.0 }))?;
        let mut blocks = 0;
        for block in reader.raw_blocks(from)? {
            out.block(&block?.bytes)?;
            blocks += 1;
        }
        out.frame(&Frame::End(End { blocks }))
    }

    /// What the log's index has of folded events, which its blocks do not tell: 48 bytes of each, in a file of its own.
    fn folded(&self, reader: &log::Reader, out: &mut Out<'_>) -> Result<(), Stop> {
        let (mut hasher, mut bytes, mut piece) = (blake3::Hasher::new(), 0, Vec::with_capacity(PIECE_BYTES));
        let mut put = |piece: &mut Vec<u8>, out: &mut Out<'_>| {
            if bytes == 0 {
                out.frame(&Frame::File(Sent::File { name: FOLDED.to_owned() }))?;
            }
            hasher.update(piece);
            bytes += piece.len() as u64;
            out.frame(&Frame::Piece(std::mem::take(piece).into()))
        };
        reader.folded_events::<Stop>(&mut |event| {
            piece.extend_from_slice(&event.to_bytes());
            if piece.len() >= PIECE_BYTES - log::FoldedEvent::BYTES { put(&mut piece, out) } else { Ok(()) }
        })?;
        if !piece.is_empty() {
            put(&mut piece, out)?;
        }
        if bytes == 0 {
            return Ok(());
        }
        out.frame(&Frame::Whole(Whole { digest: hasher.finalize().to_hex().to_string(), bytes }))
    }

    /// The first block that the client may not have. Whatever is rewritten meanwhile is sent with the next backup.
    fn from(&self, reader: &log::Reader) -> Result<Sequence, Error> {
        let Some(since) = self.request.since.as_ref().filter(|since| since.rewrites == reader.rewrites()) else {
            return Ok(Sequence::FIRST);
        };
        let wanted = Sequence(since.last_block);
        let found = reader.block_of(wanted)?;
        Ok(if found.first == wanted { wanted } else { Sequence::FIRST })
    }
}

/// Frames on their way out.
struct Out<'a> {
    bytes: Vec<u8>,
    sink: &'a mut dyn FnMut(Vec<u8>) -> bool,
}

impl Out<'_> {
    fn frame(&mut self, frame: &Frame) -> Result<(), Stop> {
        frame.put(&mut self.bytes);
        self.flush_if_full()
    }

    fn block(&mut self, block: &[u8]) -> Result<(), Stop> {
        put_block(&mut self.bytes, block);
        self.flush_if_full()
    }

    fn file(&mut self, sent: Sent, bytes: &[u8]) -> Result<(), Stop> {
        self.frame(&Frame::File(sent))?;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.frame(&Frame::Piece(bytes::Bytes::copy_from_slice(piece)))?;
        }
        let (digest, bytes) = (Digest::of(bytes).to_string(), bytes.len() as u64);
        self.frame(&Frame::Whole(Whole { digest, bytes }))
    }

    /// A file that comes in pieces.
    fn pieces(&mut self, sent: Sent, next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, Error>) -> Result<(), Stop> {
        self.frame(&Frame::File(sent))?;
        let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
        while let Some(piece) = next()? {
            hasher.update(&piece);
            bytes += piece.len() as u64;
            let piece = bytes::Bytes::from(piece);
            for start in (0..piece.len()).step_by(PIECE_BYTES) {
                self.frame(&Frame::Piece(piece.slice(start..piece.len().min(start + PIECE_BYTES))))?;
            }
        }
        self.frame(&Frame::Whole(Whole { digest: hasher.finalize().to_hex().to_string(), bytes }))
    }

    fn flush_if_full(&mut self) -> Result<(), Stop> {
        if self.bytes.len() >= OUT_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(OUT_BYTES * 2));
        if (self.sink)(bytes) { Ok(()) } else { Err(Stop::Gone) }
    }
}
