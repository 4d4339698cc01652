//! Names, checked once where they enter: streams, event types, event ids, plugins and projections.

use std::fmt;

/// A text that cannot be the name it was meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {why}")]
pub struct InvalidName {
    pub what: &'static str,
    pub text: String,
    pub why: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks the text and wraps it.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(why) => Err(InvalidName { what: $what, text: shortened(text), why }),
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }
    };
}

name!(
    /// A stream's name, `category/name`: both parts non-empty, at most 512 bytes, no control characters.
    StreamName,
    "stream name",
    |text| match text.split_once('/') {
        Some((category, rest)) if !category.is_empty() && !rest.is_empty() => check_text(text, 512),
        Some(_) | None => Err("it must have the form category/name"),
    }
);

name!(
    /// What happened, for example `flight.departed`: at most 256 bytes, no control characters.
    EventType,
    "event type",
    |text| check_text(text, 256)
);

name!(
    /// An event's id, its producer's idempotency key: at most 256 bytes, no control characters.
    EventId,
    "event id",
    |text| check_text(text, 256)
);

name!(
    /// The name of a plugin or projection: 1 to 64 of `a`-`z`, `0`-`9`, `-`, starting with a letter.
    ///
    /// So it is the same file name on every system.
    PluginName,
    "name",
    |text| {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 64 && text.chars().all(valid) {
            return Ok(());
        }
        Err("it must be 1 to 64 of a-z, 0-9 and -, starting with a letter")
    }
);

impl StreamName {
    /// The part before the first `/`.
    pub fn category(&self) -> &str {
        category_of(&self.0)
    }
}

/// The category of a stream's name: the part before the first `/`.
pub fn category_of(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(category, _)| category)
}

fn check_text(text: &str, bytes_max: usize) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > bytes_max {
        return Err(if bytes_max == 512 { "it is longer than 512 bytes" } else { "it is longer than 256 bytes" });
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    Ok(())
}

/// An error shows the start of a text, however long it was.
fn shortened(text: String) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_has_a_category_and_a_name() {
        assert_eq!(StreamName::new("flight/2013-01-01/UA1545").unwrap().category(), "flight");
        for text in ["", "flight", "/x", "flight/", "a/b\n", &format!("a/{}", "x".repeat(511))] {
            assert!(StreamName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_plugin_name_is_a_safe_file_name() {
        assert!(PluginName::new("on-time").is_ok());
        for text in ["", "On-time", "../x", "1st", "a b", "-a", &"x".repeat(65)] {
            assert!(PluginName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_names_the_text_and_the_reason() {
        assert_eq!(
            StreamName::new("flight").unwrap_err().to_string(),
            "\"flight\" is not a valid stream name: it must have the form category/name"
        );
    }
}
