//! Reads TOML that people write, and says on which line, at which key, it is wrong.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::Error;

/// What a file's text says; what is wrong with it is the user's to mend.
pub(super) fn of_file<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    parse(text).map_err(|(line, why)| {
        let at = line.map_or_else(String::new, |line| format!(":{line}"));
        Error::Usage(format!("{}{at}: {why}", path.display()))
    })
}

/// What a text says, or what is wrong with it: on which line, at which key.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, (Option<usize>, String)> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        let Some(span) = error.span() else { return (None, message) };
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count();
        let key = text.lines().nth(line).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
        let message = match key {
            Some(key) if !message.contains(key) => format!("{key}: {message}"),
            Some(_) | None => message,
        };
        (Some(line + 1), message)
    })
}
