//! The real program in a data directory of its own: what it prints, and how it ends.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::host::Dir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_polyfold");

/// A data directory, and a folder beside it for input and output.
pub(crate) struct Environment {
    pub(crate) dir: Dir,
    pub(crate) files: tempfile::TempDir,
}

impl Environment {
    /// Installs plugins by the names of their files.
    pub(crate) fn install(&self, plugins: &[&str]) {
        for plugin in plugins {
            self.ok(&["plugin", "install", crate::guests::path(plugin).to_str().unwrap()]);
        }
    }

    pub(crate) fn new() -> Self {
        Self { dir: Dir::new(), files: tempfile::tempdir().unwrap() }
    }

    /// Writes a file for the program to read.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.files.path());
        command.env_clear().env("POLYFOLD_DATA_DIR", self.dir.path());
        command
    }

    pub(crate) fn output(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who does not read its input may have ended before it was written.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments, "");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Everything a command says and its exit code, with what differs from run to run replaced.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: &str) -> String {
        let output = self.output(arguments, stdin);
        let mut text = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        for line in stderr.lines() {
            writeln!(text, "! {line}").unwrap();
        }
        writeln!(text, "exit {}", output.status.code().map_or("by a signal".to_owned(), |code| code.to_string()))
            .unwrap();
        self.scrub(&text)
    }

    pub(crate) fn scrub(&self, text: &str) -> String {
        let dir = |path: &Path| path.to_string_lossy().into_owned();
        let text = text.replace(&dir(self.dir.path()), "DATA").replace(&dir(self.files.path()), "FILES");
        // Blanks at a line's end are lost where a snapshot is indented.
        let text: String = text.lines().map(|line| format!("{}\n", without_fuel(line.trim_end()))).collect();
        let mut scrubbed = String::new();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ':' || c == '.';
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
            // A colon ends a word, but stands within a time.
            let end = rest[..end].trim_end_matches(':').len().max(first.len_utf8());
            let (word, behind) = rest.split_at(end);
            scrubbed.push_str(scrub_word(word));
            rest = behind;
        }
        scrubbed
    }
}

/// A fault's fuel is another one with each build of its plugin.
fn without_fuel(line: &str) -> &str {
    if line.starts_with("fuel  ") {
        return "fuel";
    }
    if line.trim_start().starts_with("fuel: ") {
        &line[..line.len() - line.trim_start().len() + "fuel:".len()]
    } else {
        line
    }
}

fn scrub_word(word: &str) -> &str {
    let hex = |word: &str| word.chars().all(|c| c.is_ascii_hexdigit());
    let bare = word.strip_suffix(".redb").or(word.strip_suffix(".wasm")).unwrap_or(word);
    match word.len() {
        _ if bare.len() == 64 && hex(bare) => "DIGEST",
        12 if hex(word) && word.contains(|c: char| c.is_ascii_digit()) => "DIGEST",
        36 if word.split('-').count() == 5 && hex(&word.replace('-', "")) => "UUID",
        20..=27 if word.starts_with("20") && word.ends_with('Z') && word.contains('T') => "TIME",
        _ => word,
    }
}
