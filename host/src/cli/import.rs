//! `import`: many events from lines of JSON.

use std::fs::File;
use std::io::{Read as _, Seek, Write};
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::Method;
use clap::Args;
use futures_util::TryStreamExt as _;
use serde::Serialize;
use tokio_util::io::ReaderStream;

use super::client::{Client, Content, Query};
use super::error::Error;
use super::output::{count, count_of};
use super::{Context, keys, wait};
use crate::server::model::Imported;
use crate::server::problem::Code;

/// What is read of the file at once.
const PIECE_BYTES: usize = 1 << 16;

/// Import events from NDJSON: one event a line, in polyfold's own form or as CloudEvents 1.0 JSON, gzip or not.
///
/// The whole input is checked first. If a line is bad, it is named and nothing is imported; with --skip-bad every good
/// line is imported and every bad one reported. Events that are in the log already are passed over, so an import that
/// was broken off is finished by running it again.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file to import, or `-` for standard input.
    file: PathBuf,
    /// Import every good line and report the others.
    #[arg(long)]
    skip_bad: bool,
    /// Return when the events are durable, whether or not projections have seen them.
    #[arg(long)]
    no_wait: bool,
    /// Encrypt what is appended to this category from now on; may be given several times.
    #[arg(long, value_name = "CATEGORY")]
    encrypt: Vec<String>,
}

#[derive(Serialize)]
struct Summary {
    appended: u64,
    duplicates: u64,
    skipped: u64,
    head: u64,
}

impl Import {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        // First, because standard input may take its time, and a connection should not wait idly.
        let mut input = Input::open(&self.file).map_err(|source| self.failed(source))?;
        let mut client = context.connect()?;
        keys::encrypt(&mut client, &self.encrypt)?;
        let path = Query::of("/events");
        let imported = if self.skip_bad {
            self.pass(&mut client, context, &mut input, "importing", path.with("skip_bad", true))?
        } else {
            self.pass(&mut client, context, &mut input, "checking", Query::of("/events").with("dry_run", true))?;
            self.pass(&mut client, context, &mut input, "importing", path)?
        };
        warn_of_bad_lines(context, &imported);
        let Imported { appended, duplicates, skipped, head, .. } = imported;
        context.output.data(&Summary { appended, duplicates, skipped, head }, describe)?;
        if self.no_wait { Ok(()) } else { wait::for_all(&mut client, context) }
    }

    /// Sends the whole file, with a bar over it.
    fn pass(
        &self,
        client: &mut Client,
        context: &Context,
        input: &mut Input,
        what: &str,
        path: Query,
    ) -> Result<Imported, Error> {
        let (length, is_gzip) = input.rewind().map_err(|source| self.failed(source))?;
        let bar = context.output.bytes_bar(what, length);
        let file = tokio::fs::File::from_std(input.file.try_clone().map_err(|source| self.failed(source))?);
        let watched = bar.clone();
        let pieces = ReaderStream::with_capacity(file, PIECE_BYTES);
        let lines = Body::from_stream(pieces.inspect_ok(move |piece| watched.inc(piece.len() as u64)));
        let imported = client.ask(Method::POST, path.path(), Content::Lines { lines, is_gzip });
        bar.finish_and_clear();
        imported.map_err(|error| self.explained(error))
    }

    fn explained(&self, error: Error) -> Error {
        match error {
            Error::Problem(problem) => match (problem.code, problem.line) {
                (Code::InvalidLine | Code::IdTaken | Code::InvalidEvent, Some(number)) => {
                    let told = format!("line {number}: ");
                    let why = problem.detail.strip_prefix(&told).unwrap_or(&problem.detail).to_owned();
                    Error::BadLine { number, why }
                }
                (Code::InvalidRequest, _) => Error::Unreadable { path: self.file.clone(), why: problem.detail },
                _ => Error::Problem(problem),
            },
            error => error.advised("import the file again: lines with ids that are in already are passed over"),
        }
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::File { path: self.file.clone(), source }
    }
}

fn warn_of_bad_lines(context: &Context, imported: &Imported) {
    for line in &imported.bad_lines {
        context.output.warn(&format!("line {}: {}; skipped", line.number, line.why));
    }
    let untold = imported.skipped.saturating_sub(imported.bad_lines.len() as u64);
    if untold > 0 {
        context.output.warn(&format!("{} skipped besides", count_of(untold, "line")));
    }
}

fn describe(summary: &Summary) -> String {
    let mut text = format!("imported {}", count_of(summary.appended, "event"));
    if summary.duplicates > 0 {
        text += &format!(", {} were there before", count(summary.duplicates));
    }
    if summary.skipped > 0 {
        text += &format!(", {} skipped", count_of(summary.skipped, "line"));
    }
    text + &format!("; the log ends at sequence {}", count(summary.head))
}

/// A file that can be read twice; standard input is laid down in one first.
struct Input {
    file: File,
}

impl Input {
    fn open(path: &Path) -> std::io::Result<Self> {
        if path != Path::new("-") {
            return Ok(Self { file: File::open(path)? });
        }
        let mut file = tempfile::tempfile()?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
        file.flush()?;
        Ok(Self { file })
    }

    /// Goes back to the start; tells how long the file is, and whether it is packed.
    fn rewind(&mut self) -> std::io::Result<(u64, bool)> {
        let mut start = Vec::new();
        self.file.rewind()?;
        (&mut self.file).take(2).read_to_end(&mut start)?;
        self.file.rewind()?;
        Ok((self.file.metadata()?.len(), start == [0x1f, 0x8b]))
    }
}
