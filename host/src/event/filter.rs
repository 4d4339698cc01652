//! Which events a reader wants: by type and by category.

use std::collections::BTreeSet;

use super::category_of;

/// The event types and categories that a reader wants; an empty set wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub event_types: BTreeSet<String>,
    pub categories: BTreeSet<String>,
}

impl Filter {
    /// Wants every event.
    pub fn all() -> Self {
        Self::default()
    }

    pub fn is_all(&self) -> bool {
        self.event_types.is_empty() && self.categories.is_empty()
    }

    pub fn wants(&self, event_type: &str, stream: &str) -> bool {
        wanted(&self.event_types, event_type) && wanted(&self.categories, category_of(stream))
    }
}

fn wanted(set: &BTreeSet<String>, name: &str) -> bool {
    set.is_empty() || set.contains(name)
}
