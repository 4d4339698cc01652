//! Which generations a backup has.

use std::path::Path;

use super::BackupError;
use super::base::generations;
use super::manifest::Generation;
use super::place::Place;

/// All generations, the oldest first.
pub fn list(path: &Path) -> Result<Vec<Generation>, BackupError> {
    let generations = generations(&Place::to_read(path)?)?;
    if generations.is_empty() {
        return Err(BackupError::Empty { path: path.to_owned() });
    }
    Ok(generations.into_values().collect())
}
