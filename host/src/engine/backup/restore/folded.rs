//! What the log's index had of folded events, on its way back: their blocks do not say it.

use std::io::{BufReader, Read as _};

use super::files::Digested;
use crate::engine::backup::BackupError;
use crate::engine::backup::manifest::{FILES, FOLDED, Generation};
use crate::engine::backup::place::{Content, Place};
use crate::log::FoldedEvent;

/// What the log's index had of folded events.
pub(super) struct FoldedEvents {
    file: String,
    digest: String,
    /// None if the log had no folded events.
    content: Option<Digested<BufReader<Content>>>,
}

impl FoldedEvents {
    pub(super) fn of(place: &Place, generation: &Generation) -> Result<Self, BackupError> {
        let Some(file) = generation.files.iter().find(|file| file.name == FOLDED) else {
            return Ok(Self { file: FOLDED.to_owned(), digest: String::new(), content: None });
        };
        let name = format!("{FILES}/{}", file.digest);
        let content = BufReader::with_capacity(1 << 20, place.open(&name)?);
        let content = Some(Digested { content, hasher: blake3::Hasher::new() });
        Ok(Self { file: place.shown(&name), digest: file.digest.clone(), content })
    }

    pub(super) fn next(&mut self) -> Result<Option<FoldedEvent>, BackupError> {
        let Some(content) = &mut self.content else { return Ok(None) };
        let mut bytes = [0; FoldedEvent::BYTES];
        content.read_exact(&mut bytes).map_err(|error| BackupError::damaged(&self.file, error))?;
        Ok(Some(FoldedEvent::from_bytes(&bytes)))
    }

    /// Reads what a cut left over: the digest is that of all.
    pub(super) fn finish(self) -> Result<(), BackupError> {
        let Some(mut content) = self.content else { return Ok(()) };
        std::io::copy(&mut content, &mut std::io::sink()).map_err(|error| BackupError::damaged(&self.file, error))?;
        match content.hasher.finalize().to_hex().as_str() == self.digest {
            true => Ok(()),
            false => Err(BackupError::damaged(self.file, "its digest is another")),
        }
    }
}
