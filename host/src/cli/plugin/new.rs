//! `plugin new`: a project that works, from a template.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Context, Error};
use crate::cli::output::count_of;
use crate::cli::project::{Kind, Kits, ProjectFile, VENDORED};
use crate::event::PluginName;

/// Write a new plugin's project: source, a unit test, build commands, and all of the language's kit.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The plugin's name: 1 to 64 of a-z, 0-9 and -, a letter first.
    name: PluginName,
    /// The language to write it in; one that is not known names those that are.
    #[arg(long, short)]
    language: String,
    /// An upcaster in place of a projection.
    #[arg(long)]
    upcaster: bool,
    /// The project's folder, new or empty [default: the plugin's name].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written {
    name: String,
    language: &'static str,
    kind: Kind,
    dir: PathBuf,
    files: Vec<PathBuf>,
}

impl New {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let kit = Kits::carried().kit(&self.language)?;
        let kind = if self.upcaster { Kind::Upcaster } else { Kind::Projection };
        let language = kit.language();
        let files = kit.project(kind, &self.name).ok_or_else(|| {
            Error::Usage(format!("there is no template for plugins of kind {} in {language}", kind.as_str()))
        })?;
        let dir = self.dir.unwrap_or_else(|| PathBuf::from(self.name.as_str()));
        must_be_empty(&dir)?;
        files.iter().try_for_each(|file| write(&dir, file))?;
        let files = files.into_iter().map(|file| file.path).collect();
        let written = Written { name: self.name.to_string(), language, kind, dir, files };
        context.output.data(&written, readable)?;
        context.output.flush()?;
        let dir = written.dir.display();
        context.output.remark(&format!("next:\n  cd {dir}\n  polyfold plugin build\n  polyfold plugin dev"));
        Ok(())
    }
}

fn readable(written: &Written) -> String {
    let Written { name, language, kind, dir, files } = written;
    let own: Vec<_> = files.iter().filter(|path| !path.starts_with(VENDORED)).collect();
    let kit = count_of((files.len() - own.len()) as u64, "file");
    let own: Vec<_> = own.iter().map(|path| format!("  {}", path.display())).collect();
    let (kind, dir) = (kind.as_str(), dir.display());
    format!("{kind} {name} in {language}, written to {dir}:\n{}\n  {VENDORED}/ (the kit, {kit})", own.join("\n"))
}

/// Nothing that is there is written over.
fn must_be_empty(dir: &Path) -> Result<(), Error> {
    let first = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::File { path: dir.to_owned(), source }),
    };
    match first {
        None => Ok(()),
        Some(_) => Err(Error::Usage(format!("{} is not empty; --dir names another folder", dir.display()))),
    }
}

fn write(dir: &Path, file: &ProjectFile) -> Result<(), Error> {
    let path = dir.join(&file.path);
    let write = || {
        std::fs::create_dir_all(path.parent().expect("it lies in the project"))?;
        std::fs::write(&path, &file.content)
    };
    write().map_err(|source| Error::File { path: path.clone(), source })
}
