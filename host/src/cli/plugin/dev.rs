//! `plugin dev`: for authors; after each change of a project its plugin is built and run, and what changes is shown.

mod change;
mod events;
mod round;
mod watched;

use std::path::PathBuf;

use clap::Args;

use super::{Client, Context, Error, Installed, Plugin, Projection, Upload, install, over, wait};
use crate::cli::project::Project;
use crate::event::PluginName;
use watched::Watched;

/// Build, install and run the plugin of a project, now and after each change, until interrupted.
///
/// A projection of the plugin's name is made if there is none, or goes over to the new build; printed is what that
/// changes in its state, key by key. Of an upcaster it prints what becomes of events, and of the states that they make.
/// What does not build or fails leaves the old state in place.
#[derive(Debug, Args)]
pub(in crate::cli) struct Dev {
    /// The project's folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The projection that runs the plugin [default: the plugin's name].
    #[arg(long, value_name = "NAME")]
    projection: Option<PluginName>,
    /// A JSON object that the plugin can read.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// Build and run once, and end.
    #[arg(long)]
    once: bool,
}

impl Dev {
    pub(super) fn run(self, context: &mut Context) -> Result<(), Error> {
        let mut project = Project::open(&self.dir)?;
        loop {
            // Looked at before the build: what is changed meanwhile is built next.
            let seen = Watched::look(&project, &context.settings.data_dir);
            let done = round::round(context, &self, &project);
            context.output.flush()?;
            match done {
                Err(error @ Error::Output(_)) => return Err(error),
                done if self.once => return done,
                Err(error) => context.output.warn(&error.to_string()),
                Ok(()) => {}
            }
            project = self.changed(context, seen, project);
        }
    }

    /// Waits for a change. While polyfold.toml cannot be read, nobody knows what to build.
    fn changed(&self, context: &Context, mut seen: Watched, project: Project) -> Project {
        loop {
            context.output.remark("waiting for a change");
            seen.wait();
            seen = Watched::look(&project, &context.settings.data_dir);
            match Project::open(&self.dir) {
                Ok(project) => return project,
                Err(error) => context.output.warn(&error.to_string()),
            }
        }
    }
}
