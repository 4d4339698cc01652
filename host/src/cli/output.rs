//! The only file that writes to the terminal: data to standard output, everything else to standard error.

use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::error::Error;
use crate::engine::Progress;
use crate::event::Sequence;

pub(super) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    json: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        Self { stdout: BufWriter::new(std::io::stdout().lock()), json, quiet }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stdout.write_all(bytes).map_err(Error::Output)
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Error> {
        writeln!(self.stdout, "{text}").map_err(Error::Output)
    }

    /// Prints a piece of data: as JSON if that was asked for, else as people read it.
    pub(super) fn data<T: Serialize>(&mut self, data: &T, text: impl FnOnce(&T) -> String) -> Result<(), Error> {
        if self.json {
            return self.line(&serde_json::to_string(data).expect("what is printed is plain data"));
        }
        self.line(&text(data))
    }

    /// Brings out what is printed so far, before a command waits for more.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.stdout.flush().map_err(Error::Output)
    }

    /// A remark for people, beside the data.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            to_stderr(text);
        }
    }

    /// Something that those who want quiet should know too.
    pub(super) fn warn(&self, text: &str) {
        to_stderr(&format!("warning: {text}"));
    }

    pub(super) fn fail(&mut self, error: &Error) -> ExitCode {
        if let Error::Output(source) = error {
            // `polyfold read | head` is no failure.
            if source.kind() == std::io::ErrorKind::BrokenPipe {
                return ExitCode::SUCCESS;
            }
        }
        drop(self.stdout.flush());
        to_stderr(&format!("error: {error}"));
        ExitCode::from(error.exit_code())
    }

    /// A bar over bytes; hidden where standard error is no terminal.
    pub(super) fn bytes_bar(&self, what: &str, length: u64) -> ProgressBar {
        self.bar(length, &format!("{what} {{bar:30}} {{bytes}}/{{total_bytes}} {{bytes_per_sec}} {{eta}}"))
    }

    /// A bar over events; hidden where standard error is no terminal.
    pub(super) fn events_bar(&self, what: &str, length: u64) -> ProgressBar {
        self.bar(length, &format!("{what} {{bar:30}} {{human_pos}}/{{human_len}} {{msg}}"))
    }

    /// Something that takes a while and has no measure.
    pub(super) fn spinner(&self, what: &str) -> ProgressBar {
        self.bar(0, &format!("{what} {{spinner}} {{elapsed}}"))
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::new(length).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Shows a projection's progress on a bar.
pub(super) fn show(bar: &ProgressBar, progress: &Progress, head: Sequence) {
    bar.set_length(head.0);
    bar.set_position(progress.sequence.0);
    let rate = HumanCount(progress.events_per_second as u64);
    let rest = progress.remaining(head).map_or_else(String::new, |rest| format!(", {} left", HumanDuration(rest)));
    bar.set_message(format!("{rate} events/s{rest}"));
}

#[expect(clippy::print_stderr, reason = "this file is where the program speaks")]
fn to_stderr(text: &str) {
    eprintln!("{text}");
}

/// A number with thousands set apart.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A size in binary units.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
