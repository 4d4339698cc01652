//! `export`: events as NDJSON, in the form that `import` takes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::client::Client;
use super::error::Error;
use super::output::{count, count_of};
use super::selection::{FoldedLine, Selection};
use crate::server::model::Log;

const ADVICE: &str = "what came before is a part only; export again";

/// Write events as NDJSON, one event a line, in the form that `import` takes.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    selection: Selection,
    /// The file to write, which must not exist yet; standard output if left out, or `-`.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

/// What a line says of events of which there are only digests, if it is one of those.
fn folded(line: &str) -> Option<FoldedLine> {
    line.starts_with("{\"folded\":").then(|| serde_json::from_str(line).ok()).flatten()
}

impl Export {
    /// The same, with compacted events read from the archive.
    pub(super) fn archived(mut self) -> Self {
        self.selection.archived = true;
        self
    }

    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let mut client = context.connect()?;
        match &self.output {
            Some(path) if path != Path::new("-") => self.to_file(&mut client, context, path),
            Some(_) | None => self.each(&mut client, |line| context.output.line(line)),
        }
    }

    /// Hands over each line. It has come to its end only if the answer has.
    fn each(&self, client: &mut Client, mut take: impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let head = client.get::<Log>("/log")?.head;
        let since = self.selection.begin(client, head)?;
        let query = self.selection.query(since);
        let mut lines = 0;
        let answered = client.lines(query.path(), |line| {
            lines += folded(line).map_or(1, |folded| folded.events());
            take(line)
        });
        answered.map_err(|error| error.advised(ADVICE))?;
        // There are no gaps, so where nothing is left out the number of lines is known.
        let end = self.selection.to.map_or(head, |to| to.min(head));
        match self.selection.is_whole() && lines < end.saturating_sub(since) {
            true => Err(Error::Broken("the answer ended too soon".to_owned()).advised(ADVICE)),
            false => Ok(()),
        }
    }

    fn to_file(&self, client: &mut Client, context: &Context, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = File::create_new(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Error::Usage(format!("{} exists already; name another file, or remove it first", path.display()))
            }
            _ => failed(source),
        })?;
        let file = BufWriter::new(file);
        let exported = self.write_to(file, client, context, path);
        if exported.is_err() {
            // A part of an export must not pass for a whole one.
            drop(std::fs::remove_file(path));
        }
        exported
    }

    fn write_to(
        &self,
        mut file: BufWriter<File>,
        client: &mut Client,
        context: &Context,
        path: &Path,
    ) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let bar = context.output.spinner("exporting");
        let mut events = 0;
        let mut compacted = 0;
        self.each(client, |line| {
            match folded(line) {
                Some(folded) => compacted += folded.events(),
                None => events += 1,
            }
            bar.set_position(events);
            writeln!(file, "{line}").map_err(failed)
        })?;
        file.flush().map_err(failed)?;
        file.get_ref().sync_all().map_err(failed)?;
        bar.finish_and_clear();
        if compacted > 0 {
            let text = format!(
                "{} of which only digests are left are named in it and not whole",
                count_of(compacted, "event")
            );
            context.output.warn(&text);
        }
        context.output.remark(&format!("exported {} events to {}", count(events), path.display()));
        Ok(())
    }
}
