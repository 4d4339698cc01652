//! `archive`: what holds the payloads that retention dropped.

use clap::Subcommand;

use super::Context;
use super::client::Content;
use super::error::Error;
use super::export::Export;
use super::output::{count, count_of, show, size};
use crate::server::model::{ArchiveFile, Progress, RestoredArchive};

/// List, check and read what holds the payloads that retention dropped, or put them back into the log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the files of the archive.
    List,
    /// Read every file and recompute every digest in it.
    Verify,
    /// Write events as NDJSON, compacted ones as they were; the same as `export --archived`.
    Read(Export),
    /// Put all payloads that the archive has back into the log. The next run of retention drops them again.
    Restore,
}

impl Command {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self {
            Self::List => list(context),
            Self::Verify => verify(context),
            Self::Read(read) => read.archived().run(context),
            Self::Restore => restore(context),
        }
    }
}

fn list(context: &mut Context) -> Result<(), Error> {
    let files: Vec<ArchiveFile> = context.connect()?.get("/archive")?;
    if files.is_empty() {
        context.output.remark("there is no archive; the first run of retention makes one");
    }
    files.iter().try_for_each(|file| context.output.data(file, readable))
}

fn readable(file: &ArchiveFile) -> String {
    let ArchiveFile { name, first, last, events, blocks, bytes } = file;
    let (events, blocks) = (count_of(*events, "event"), count_of(*blocks, "block"));
    let (first, last) = (count(*first), count(*last));
    format!("{name}  sequence {first} to {last}  {events} in {blocks}  {}", size(*bytes))
}

fn verify(context: &mut Context) -> Result<(), Error> {
    let mut client = context.connect()?;
    let bar = context.output.events_bar("verifying", 0);
    let verified = client.work("/archive/verify", |progress| show(&bar, progress));
    bar.finish_and_clear();
    let files: Vec<ArchiveFile> = verified?;
    context.output.data(&files, |files| {
        let bytes = size(files.iter().map(|file| file.bytes).sum());
        format!("the archive is sound: {}, {bytes}", count_of(files.len() as u64, "file"))
    })
}

fn restore(context: &mut Context) -> Result<(), Error> {
    let mut client = context.connect()?;
    let bar = context.output.events_bar("restoring", 0);
    let restored = client.work_on("/archive/restore", Content::Nothing, |progress: &Progress| show(&bar, progress));
    bar.finish_and_clear();
    let restored: RestoredArchive = restored?;
    context.output.data(&restored, |restored| {
        let RestoredArchive { events, file_bytes_before, file_bytes_after } = restored;
        let (events, before, after) = (count_of(*events, "payload"), size(*file_bytes_before), size(*file_bytes_after));
        format!("{events} put back; the log's file had {before} and has {after}")
    })
}
