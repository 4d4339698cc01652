//! `import`: many events from lines of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use serde::Serialize;

use super::error::Error;
use super::output::count;
use super::{Context, catch_up};
use crate::engine::{self, BadLine, Engine, Imported, Watch};

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
        let engine = context.engine()?;
        let failed = |source| Error::File { path: self.file.clone(), source };
        let mut input = Input::open(&self.file).map_err(failed)?;
        let imported = if self.skip_bad {
            input.pass(context, "importing", |lines, watch| Ok(engine.import_good(lines, watch)?))
        } else {
            import_all(&engine, context, &mut input)
        };
        let Imported { appended, duplicates, skipped } = imported.map_err(|error| match error {
            Error::Engine(engine::Error::Input(source)) => Error::Unreadable { path: self.file.clone(), source },
            other => other,
        })?;
        let summary = Summary { appended, duplicates, skipped, head: engine.head().sequence().0 };
        context.output.data(&summary, describe)?;
        if self.no_wait { Ok(()) } else { catch_up::all(&engine, context) }
    }
}

/// Imports every line, or none.
fn import_all(engine: &Engine, context: &Context, input: &mut Input) -> Result<Imported, Error> {
    let bad = input.pass(context, "checking", |lines, watch| Ok(engine.check_import(lines, watch)?))?;
    if let Some(BadLine { number, why }) = bad {
        return Err(Error::BadLine { number, why });
    }
    input.pass(context, "importing", |lines, watch| Ok(engine.import_checked(lines, watch)?))
}

fn describe(summary: &Summary) -> String {
    let mut text = format!("imported {} events", count(summary.appended));
    if summary.duplicates > 0 {
        text += &format!(", {} were there before", count(summary.duplicates));
    }
    if summary.skipped > 0 {
        text += &format!(", {} lines were skipped", count(summary.skipped));
    }
    text + &format!("; the log ends at sequence {}", count(summary.head))
}

/// A file that can be read twice; standard input is laid down in one first.
struct Input {
    path: PathBuf,
    file: File,
}

impl Input {
    fn open(path: &Path) -> std::io::Result<Self> {
        let path = path.to_owned();
        if path != Path::new("-") {
            return Ok(Self { file: File::open(&path)?, path });
        }
        let mut file = tempfile::tempfile()?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
        file.flush()?;
        Ok(Self { path, file })
    }

    /// Hands all lines from the first to `work`, with a bar over the file.
    fn pass<T>(
        &mut self,
        context: &Context,
        what: &str,
        work: impl FnOnce(&mut dyn BufRead, &mut dyn Watch) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let failed = |source| Error::File { path: self.path.clone(), source };
        self.file.rewind().map_err(failed)?;
        let bar = context.output.bytes_bar(what, self.file.metadata().map_err(failed)?.len());
        let mut lines = self.lines().map_err(failed)?;
        let result = work(&mut lines, &mut Shown { bar: &bar, file: &self.file, context });
        bar.finish_and_clear();
        result
    }

    /// Its lines, unpacked if the file starts as gzip does.
    fn lines(&self) -> std::io::Result<Box<dyn BufRead>> {
        const BUFFER: usize = 1 << 16;
        let mut packed = BufReader::with_capacity(BUFFER, self.file.try_clone()?);
        if !packed.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            return Ok(Box::new(packed));
        }
        Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(packed))))
    }
}

/// Shows an import on a bar over the file, packed or not, and says which lines were skipped.
struct Shown<'a> {
    bar: &'a ProgressBar,
    file: &'a File,
    context: &'a Context,
}

impl Watch for Shown<'_> {
    fn passed(&mut self) {
        // The clone that is read shares its place with this one.
        let mut file = self.file;
        if let Ok(place) = file.stream_position() {
            self.bar.set_position(place);
        }
    }

    fn skipped(&mut self, line: BadLine) {
        self.bar.suspend(|| self.context.output.warn(&format!("line {}: {}; skipped", line.number, line.why)));
    }
}
