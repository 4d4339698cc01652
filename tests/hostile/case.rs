//! A case: a plugin, and all that may come of it.

use expect_test::Expect;

use crate::guests;

/// A hostile plugin and what becomes of it.
pub(crate) struct Case {
    /// The row that it has in the documentation.
    pub(crate) name: &'static str,
    pub(crate) plugin: Plugin,
    /// What is seen of it, from installation to the last entry of its state.
    pub(crate) seen: Expect,
}

/// Where a plugin comes from.
pub(crate) enum Plugin {
    /// An example of tests/guests.
    Guest(&'static str),
    /// Text of a core module or component.
    Wat(fn() -> String),
    /// Bytes that no tool would write.
    Bytes(fn() -> Vec<u8>),
}

/// An example of tests/guests; the row has its name, with dashes.
pub(crate) fn guest(name: &'static str, seen: Expect) -> Case {
    Case { name, plugin: Plugin::Guest(name), seen }
}

pub(crate) fn wat(name: &'static str, text: fn() -> String, seen: Expect) -> Case {
    Case { name, plugin: Plugin::Wat(text), seen }
}

pub(crate) fn made(name: &'static str, bytes: fn() -> Vec<u8>, seen: Expect) -> Case {
    Case { name, plugin: Plugin::Bytes(bytes), seen }
}

impl Case {
    /// The name of the row.
    pub(crate) fn row(&self) -> String {
        self.name.replace('_', "-")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.plugin {
            Plugin::Guest(name) => guests::bytes(name),
            Plugin::Wat(text) => wat::parse_str(text()).unwrap_or_else(|error| panic!("{}: {error}", self.name)),
            Plugin::Bytes(bytes) => bytes(),
        }
    }
}
