//! A case: a plugin, and all that may come of it.

use expect_test::Expect;

use crate::guests;

/// A hostile plugin and what becomes of it.
pub(crate) struct Case {
    /// The row that it has in the documentation.
    pub(crate) name: &'static str,
    pub(crate) plugin: Plugin,
    pub(crate) fuel_per_event: u64,
    /// Whether its state is the same in every run.
    pub(crate) shows_its_state: bool,
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

/// A twentieth of the default: what never ends uses it up three times before the event stands alone.
const FUEL_PER_EVENT: u64 = 50_000_000;

/// An example of tests/guests; the row has its name, with dashes.
pub(crate) fn guest(name: &'static str, seen: Expect) -> Case {
    case(name, Plugin::Guest(name), seen)
}

pub(crate) fn wat(name: &'static str, text: fn() -> String, seen: Expect) -> Case {
    case(name, Plugin::Wat(text), seen)
}

pub(crate) fn made(name: &'static str, bytes: fn() -> Vec<u8>, seen: Expect) -> Case {
    case(name, Plugin::Bytes(bytes), seen)
}

fn case(name: &'static str, plugin: Plugin, seen: Expect) -> Case {
    Case { name, plugin, fuel_per_event: FUEL_PER_EVENT, shows_its_state: true, seen }
}

impl Case {
    /// With the fuel that an event has if nothing else is said, for what meets another limit before that.
    pub(crate) fn with_all_fuel(self) -> Self {
        Self { fuel_per_event: 1_000_000_000, ..self }
    }

    /// What it writes hangs on where the host cuts batches, which is the host's choice.
    pub(crate) fn without_its_state(self) -> Self {
        Self { shows_its_state: false, ..self }
    }

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
