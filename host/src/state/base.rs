//! What a state can be read from whole at one checkpoint: a commit of its file, another state below, or nothing.

use std::ops::Bound;
use std::sync::Arc;

use super::{Entry, Error, Overlay, Reader, Totals, Undone, View};

/// What changes are laid over.
#[derive(Debug, Default)]
pub enum Base {
    /// An empty state.
    #[default]
    Nothing,
    /// A commit of a state's file.
    File(Box<Reader>),
    /// A file, as an earlier commit left it.
    Undone(Box<Undone>),
    Snapshot(Arc<View>),
    /// Another state with all that lies over it, which does not change any more.
    Below(Arc<Overlay>),
}

impl Base {
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Nothing => Ok(None),
            Self::File(reader) => reader.get(key),
            Self::Undone(undone) => undone.get(key),
            Self::Snapshot(view) => view.get(key),
            Self::Below(overlay) => overlay.get(key),
        }
    }

    /// What the entries come to.
    pub fn totals(&self) -> Result<Totals, Error> {
        match self {
            Self::Nothing => Ok(Totals::default()),
            Self::File(reader) => reader.totals(),
            Self::Undone(_) => {
                let size = |(key, value): Entry| Totals { entries: 1, bytes: (key.len() + value.len()) as u64 };
                self.range_from(Bound::Unbounded)?.try_fold(Totals::default(), |sum, entry| {
                    let size = size(entry?);
                    Ok(Totals { entries: sum.entries + 1, bytes: sum.bytes + size.bytes })
                })
            }
            Self::Snapshot(view) => Ok(view.manifest().totals),
            Self::Below(overlay) => overlay.totals(),
        }
    }

    pub(super) fn range_from<'a>(
        &'a self,
        start: Bound<&str>,
    ) -> Result<Box<dyn Iterator<Item = Result<Entry, Error>> + 'a>, Error> {
        Ok(match self {
            Self::Nothing => Box::new(std::iter::empty()),
            Self::File(reader) => Box::new(reader.range_from(start)?),
            Self::Undone(undone) => Box::new(undone.range_from(start)?),
            Self::Snapshot(view) => Box::new(view.range_from(start)?),
            Self::Below(overlay) => Box::new(overlay.range_from(start)),
        })
    }
}

impl From<Reader> for Base {
    fn from(reader: Reader) -> Self {
        Self::File(Box::new(reader))
    }
}
