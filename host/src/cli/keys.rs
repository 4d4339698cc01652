//! `keys`: the keys of encrypted streams.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::Method;
use clap::Subcommand;
use tokio_util::io::ReaderStream;

use super::Context;
use super::client::{Client, Content, NDJSON};
use super::error::Error;
use super::output::count_of;
use crate::server::model::erasure::{Encryption, ImportedKeys, StreamKey};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the streams that have a key, or were forgotten. The keys are not shown.
    List,
    /// Write all keys to a new file, for its owner only: to be kept apart from backups, which hold none.
    Export { file: PathBuf },
    /// Take the keys of an export that are not here. A stream that was forgotten here stays forgotten.
    Import { file: PathBuf },
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::List => list(context),
            Self::Export { file } => export(context, &file),
            Self::Import { file } => import(context, file),
        }
    }
}

/// Encrypts categories from now on, as an option of a command that appends.
pub(super) fn encrypt(client: &mut Client, categories: &[String]) -> Result<(), Error> {
    if categories.is_empty() {
        return Ok(());
    }
    client.post::<Encryption>("/encryption", &Encryption { categories: categories.to_vec() }).map(drop)
}

fn list(context: &mut Context) -> Result<(), Error> {
    let keys: Vec<StreamKey> = context.connect()?.get("/keys")?;
    if keys.is_empty() {
        context.output.remark("no stream has a key; `--encrypt CATEGORY` of serve, append and import encrypts one");
    }
    keys.iter().try_for_each(|key| {
        context.output.data(key, |key| {
            let what = if key.forgotten { "forgotten" } else { "key of" };
            format!("{:<32} {what} {}", key.stream, key.at)
        })
    })
}

fn export(context: &mut Context, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut client = context.connect()?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut file = std::io::BufWriter::new(file);
    let mut streams = 0_u64;
    let written = client.pieces(Method::GET, "/keys/export", Content::Nothing, NDJSON, |piece| {
        streams += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        file.write_all(&piece).map_err(failed)?;
        Ok(true)
    });
    let synced = written.and_then(|()| file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed));
    if synced.is_err() {
        // Half a file of keys helps nobody; that it stays is said by the next export.
        drop(std::fs::remove_file(path));
    }
    synced?;
    // The first line says which log, the last one that it is whole.
    let streams = count_of(streams.saturating_sub(2), "stream");
    context.output.remark(&format!("{} has the keys of {streams}; keep it apart from backups", path.display()));
    Ok(())
}

fn import(context: &mut Context, path: PathBuf) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.clone(), source };
    let file = tokio::fs::File::from_std(std::fs::File::open(&path).map_err(failed)?);
    let lines = Body::from_stream(ReaderStream::new(file));
    let mut client = context.connect()?;
    let content = Content::Lines { lines, is_gzip: false };
    let imported: ImportedKeys = client.ask(Method::POST, "/keys/import", content)?;
    for stream in &imported.alive {
        let told = format!("stream {stream:?} was forgotten where the file comes from, and has a key here");
        context.output.warn(&format!("{told}; `polyfold forget` forgets it here, too"));
    }
    if imported.refused > 0 {
        let keys = count_of(imported.refused, "key");
        context.output.warn(&format!("{keys} of streams that were forgotten here were not taken"));
    }
    context.output.data(&imported, |imported| {
        let (added, forgotten) = (count_of(imported.added, "key"), count_of(imported.forgotten, "stream"));
        format!("{added} added, {} known, {forgotten} known to be forgotten", imported.known)
    })
}
