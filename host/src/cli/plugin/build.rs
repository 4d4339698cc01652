//! `plugin build`: what a project makes.

use std::path::PathBuf;

use clap::Args;

use super::{Context, Error};
use crate::cli::project::{self, Built, Project};

/// Build the plugin of a project, as its polyfold.toml says.
///
/// Names the programs that are missing and how to get them, fetches compilers once for all projects, and shows what the
/// compiler prints. POLYFOLD_TOOLS names the folder for compilers; default ~/.cache/polyfold/tools.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Build {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let built = project::build(&Project::open(&self.dir)?, &context.output)?;
        context.output.data(&built, Built::line)
    }
}
