//! The only file that writes to the terminal: data to standard output, everything else to standard error.

use std::borrow::Cow;
use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::error::Error;
use crate::engine;
use crate::server::model::{Progress, State};

pub(super) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    /// Whether a person reads the data, and not a program that wants it as it is.
    is_terminal: bool,
    json: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        let stdout = std::io::stdout().lock();
        Self { is_terminal: stdout.is_terminal(), stdout: BufWriter::new(stdout), json, quiet }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stdout.write_all(bytes).map_err(Error::Output)
    }

    pub(super) fn line(&mut self, text: &str) -> Result<(), Error> {
        let text = if self.is_terminal { plain(text) } else { Cow::Borrowed(text) };
        writeln!(self.stdout, "{text}").map_err(Error::Output)
    }

    /// Prints a piece of data: as JSON if that was asked for, else as people read it.
    pub(super) fn data<T: Serialize>(&mut self, data: &T, text: impl FnOnce(&T) -> String) -> Result<(), Error> {
        if self.json {
            return self.line(&serde_json::to_string(data).expect("what is printed is plain data"));
        }
        self.line(&plain(&text(data)))
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

    /// A bar over events in several steps, each named by the bar's prefix; hidden where standard error is no terminal.
    pub(super) fn steps_bar(&self) -> ProgressBar {
        self.bar(0, "{prefix} {bar:30} {human_pos}/{human_len}")
    }

    /// A bar over functions that are compiled; hidden where standard error is no terminal.
    pub(super) fn functions_bar(&self, what: &str) -> ProgressBar {
        self.bar(0, &format!("{what} {{bar:30}} {{human_pos}}/{{human_len}} functions, {{elapsed}}"))
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

/// Shows how far work is on a bar.
pub(super) fn show(bar: &ProgressBar, progress: &Progress) {
    let rate = (progress.events_per_second, progress.remaining_seconds);
    move_to(bar, progress.sequence, progress.head, rate);
}

/// Shows how far a state is on a bar.
pub(super) fn show_state(bar: &ProgressBar, state: &State, head: u64) {
    move_to(bar, state.checkpoint, head, (state.events_per_second, state.remaining_seconds));
}

fn move_to(bar: &ProgressBar, sequence: u64, head: u64, (events_per_second, remaining_seconds): (f64, Option<f64>)) {
    bar.set_length(head);
    bar.set_position(sequence);
    let rate = HumanCount(events_per_second as u64);
    let rest = remaining_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let rest = rest.map_or_else(String::new, |rest| format!(", {} left", HumanDuration(rest)));
    bar.set_message(format!("{rate} events/s{rest}"));
}

/// Who has closed standard error does not want to hear it.
fn to_stderr(text: &str) {
    drop(writeln!(std::io::stderr(), "{}", plain(text)));
}

/// A text without what a terminal would obey: events, keys and what plugins say come from anybody.
fn plain(text: &str) -> Cow<'_, str> {
    let is_order = |c: char| engine::is_order(c) && c != '\n' && c != '\t';
    if !text.contains(is_order) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_order(c) {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// A number with thousands set apart.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// So many of something, for example `1 event` and `2 events`.
pub(super) fn count_of(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// A size in binary units.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_text() {
        assert_eq!(plain("two\nlines\tand ü"), "two\nlines\tand ü");
        assert_eq!(plain("\u{202e}cba\u{2066}"), "\\u{202e}cba\\u{2066}");
        assert_eq!(plain("\u{1b}]0;x\u{7}\u{9b}2J\r"), "\\u{1b}]0;x\\u{7}\\u{9b}2J\\r");
    }
}
