//! `backup`: copies of log, catalogue, plugins, keys and states, that `restore` makes a data directory of.

mod list;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::client::{Client, Content};
use super::error::Error;
use super::output::{count, count_of, size};
use crate::engine::{
    BACKUP_STREAM, BackupError, BackupRequest, BackupShape, BackupWriter, Generation, KeepGenerations, Reached,
    duration,
};
use crate::event::Timestamp;

/// Pieces that came and are not written yet, some 256 KiB each.
const PIECES_MAX: usize = 16;

const ADVICE: &str = "run it again, it goes on where it was";

/// Back up log, catalogue, plugins, trust file, tokens and host key into a directory or one file, while a host serves or
/// without one; check and list backups.
///
/// A directory gets a generation with each run, and only what is new is written; a run that was broken off is finished by
/// running it again. What ends in .polyfold or .tar is one file, a tar archive with all of it. `polyfold restore` makes a data
/// directory of either. The backup holds the host key: keep it where you keep other secrets.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: Make,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read a whole backup, without a host, and recompute every digest and the chain of every event.
    Verify {
        /// The backup's directory or file.
        path: PathBuf,
    },
    /// List the generations of a backup.
    List {
        /// The backup's directory or file.
        path: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Make {
    /// The directory to add to, or the file to make; it is made if it is missing.
    #[arg(required = true, value_name = "DIR|FILE")]
    path: Option<PathBuf>,
    /// Make one file whatever its name ends in.
    #[arg(long)]
    file: bool,
    /// Copy the states of projections too; without them, they are built from the log after a restore.
    #[arg(long)]
    states: bool,
    /// Drop all generations but so many of the newest.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_last: Option<u32>,
    /// Drop generations that are older, for example 12h, 30d or 8w; with --keep-last those that neither keeps.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    keep_for: Option<Duration>,
}

/// What a run made, or a generation in a list.
#[derive(Debug, Serialize)]
struct Shown {
    generation: u64,
    made_at: String,
    log_id: String,
    sequence: u64,
    recorded_at: Option<String>,
    chain_head: String,
    bytes: u64,
    new_bytes: u64,
    files: Vec<String>,
    plugins: usize,
    states: Vec<ShownState>,
}

#[derive(Debug, Serialize)]
struct ShownState {
    projection: String,
    identity: String,
    sequence: u64,
}

impl From<&Generation> for Shown {
    fn from(generation: &Generation) -> Self {
        let states = generation.states.iter().map(|state| ShownState {
            projection: state.projection.clone(),
            identity: state.identity.clone(),
            sequence: state.sequence,
        });
        Self {
            generation: generation.generation,
            made_at: generation.made_at.clone(),
            log_id: generation.log.id.clone(),
            sequence: generation.log.sequence,
            recorded_at: generation.log.recorded_at.clone(),
            chain_head: generation.log.chain_head.clone(),
            bytes: generation.bytes,
            new_bytes: generation.new_bytes,
            files: generation.files.iter().map(|file| file.name.clone()).collect(),
            plugins: generation.plugins.len(),
            states: states.collect(),
        }
    }
}

impl Shown {
    /// What is in it beside the log.
    fn content(&self) -> String {
        let plugins = count_of(self.plugins as u64, "plugin");
        let states = count_of(self.states.len() as u64, "state");
        let key = if self.files.iter().any(|file| file == "host-key") { ", host key" } else { "" };
        format!("{plugins}, {states}{key}")
    }
}

impl Backup {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        match self.command {
            Some(Command::Verify { path }) => verify::run(&path, context),
            Some(Command::List { path }) => list::run(&path, context),
            None => self.make.run(context),
        }
    }
}

impl Make {
    fn run(self, context: &mut Context) -> Result<(), Error> {
        let path = self.path.clone().expect("it is required where there is no subcommand");
        let shape = self.shape(&path);
        let keep = KeepGenerations { last: self.keep_last.map(|last| last as usize), within: self.keep_for };
        if shape == BackupShape::File && keep != KeepGenerations::default() {
            return Err(BackupError::OneFile { path }.into());
        }
        let mut writer = BackupWriter::open(&path, shape)?;
        let mut client = context.connect()?;
        let (now, request) = (Timestamp::now(), writer.request(self.states));
        fill(&mut writer, &mut client, &request, context)?;
        let made = writer.finish(keep, now)?;
        for number in &made.dropped {
            context.output.remark(&format!("generation {number} is dropped"));
        }
        let shown = Shown::from(&made.generation);
        if !shown.files.iter().any(|file| file == "host-key") {
            context.output.warn("the host key is not in it: what is restored of it signs by a new one");
        }
        context.output.data(&shown, |shown| {
            let (sequence, all, new) = (count(shown.sequence), size(shown.bytes), size(shown.new_bytes));
            let content = shown.content();
            format!(
                "generation {} in {}: the log up to sequence {sequence}, chain head {}; {content}; {all}, {new} of it new",
                shown.generation,
                path.display(),
                shown.chain_head
            )
        })
    }

    fn shape(&self, path: &Path) -> BackupShape {
        let is_file_name = path.extension().is_some_and(|ending| ending == "polyfold" || ending == "tar");
        if !path.is_dir() && (self.file || is_file_name || path.is_file()) {
            BackupShape::File
        } else {
            BackupShape::Directory
        }
    }
}

/// Lets the host send and the writer write, each at its own pace.
fn fill(
    writer: &mut BackupWriter,
    client: &mut Client,
    request: &BackupRequest,
    context: &Context,
) -> Result<(), Error> {
    let bar = context.output.events_bar("backing up", 0);
    let reached = Mutex::new(Reached::default());
    let (pieces, to_write) = sync_channel::<Bytes>(PIECES_MAX);
    let filled = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(writer, to_write, &reached));
        let content = Content::json(request);
        let sent = client.pieces(Method::POST, "/backup", content, BACKUP_STREAM, |piece| {
            let now = *reached.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            bar.set_length(now.head.0);
            bar.set_position(now.sequence.0);
            // Who takes no more says why.
            Ok(pieces.send(piece).is_ok())
        });
        drop(pieces);
        let written = writing.join().expect("writing does not panic");
        written.map_err(problem_of)?;
        sent.map_err(|error| error.advised(ADVICE))
    });
    bar.finish_and_clear();
    filled
}

fn write(writer: &mut BackupWriter, pieces: Receiver<Bytes>, reached: &Mutex<Reached>) -> Result<(), BackupError> {
    for piece in pieces {
        writer.take(&piece)?;
        *reached.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = writer.reached();
    }
    Ok(())
}

/// What the host says itself is a problem like any other.
fn problem_of(error: BackupError) -> Error {
    match error {
        BackupError::Problem(text) => match serde_json::from_str(&text) {
            Ok(problem) => Error::Problem(Box::new(problem)),
            Err(_) => Error::Broken(format!("the host cannot go on: {text}; {ADVICE}")),
        },
        other => other.into(),
    }
}
