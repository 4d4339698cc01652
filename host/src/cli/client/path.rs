//! Paths and queries of requests, with everything escaped that stands for something in them.

use std::fmt::Write as _;

/// One segment of a path: what stands between two slashes.
pub(in crate::cli) fn segment(text: &str) -> String {
    escaped(text, b"")
}

/// The rest of a path, whose slashes are its own.
pub(in crate::cli) fn segments(text: &str) -> String {
    escaped(text, b"/")
}

/// A path and its query.
pub(in crate::cli) struct Query(String, char);

impl Query {
    pub(in crate::cli) fn of(path: impl Into<String>) -> Self {
        Self(path.into(), '?')
    }

    pub(in crate::cli) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let value = escaped(&value.to_string(), b"");
        write!(self.0, "{}{name}={value}", self.1).expect("a string takes everything");
        self.1 = '&';
        self
    }

    pub(in crate::cli) fn with_some(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(in crate::cli) fn with_each(self, name: &str, values: &[String]) -> Self {
        values.iter().fold(self, |query, value| query.with(name, value))
    }

    pub(in crate::cli) fn path(&self) -> &str {
        &self.0
    }
}

fn escaped(text: &str, own: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || own.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes everything");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_escaped() {
        assert_eq!(segment("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
        assert_eq!(segments("a/b%"), "a/b%25");
        let query =
            Query::of("/x").with("a", 1).with_some("b", None::<u64>).with_each("c", &["d&e".into(), "f".into()]);
        assert_eq!(query.path(), "/x?a=1&c=d%26e&c=f");
    }
}
