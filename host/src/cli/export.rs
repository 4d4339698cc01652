//! `export`: events as NDJSON, in the form that `import` takes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::error::Error;
use super::output::count;
use super::select::Selection;
use crate::engine::{Engine, event_to_json};

/// Write events as NDJSON, one event a line, in the form that `import` takes.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    selection: Selection,
    /// The file to write, which must not exist yet; standard output if left out.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let engine = context.engine()?;
        if let Some(path) = &self.output {
            return self.to_file(&engine, context, path);
        }
        self.selection.each(&engine, &mut |event| {
            context.output.line(&event_to_json(event)?)?;
            Ok(true)
        })?;
        Ok(())
    }

    fn to_file(&self, engine: &Engine, context: &Context, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = BufWriter::new(File::create_new(path).map_err(failed)?);
        let exported = self.write_to(file, engine, context, path);
        if exported.is_err() {
            // A part of an export must not pass for a whole one.
            drop(std::fs::remove_file(path));
        }
        exported
    }

    fn write_to(
        &self,
        mut file: BufWriter<File>,
        engine: &Engine,
        context: &Context,
        path: &Path,
    ) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let bar = context.output.events_bar("exporting", engine.head().sequence().0);
        let mut events = 0;
        self.selection.each(engine, &mut |event| {
            events += 1;
            bar.set_position(event.sequence.0);
            writeln!(file, "{}", event_to_json(event)?).map_err(failed)?;
            Ok(true)
        })?;
        file.flush().map_err(failed)?;
        file.get_ref().sync_all().map_err(failed)?;
        bar.finish_and_clear();
        context.output.remark(&format!("exported {} events to {}", count(events), path.display()));
        Ok(())
    }
}
