//! Which state of which projection: how workers are found, and what rides with the writer.

use crate::event::Digest;

/// Which worker: a projection has one for each of its states, and one more while it builds one of them anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) identity: Digest,
    pub(super) is_rebuild: bool,
}

impl Key {
    pub(super) fn state(name: &str, identity: Digest) -> Self {
        Self { name: name.to_owned(), identity, is_rebuild: false }
    }

    pub(super) fn rebuild(name: &str, identity: Digest) -> Self {
        Self { is_rebuild: true, ..Self::state(name, identity) }
    }
}
