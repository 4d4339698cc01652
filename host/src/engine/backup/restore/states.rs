//! Copies of states on their way back: those that fit the log and the catalogue.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use super::files::{CATALOGUE, Digested, returning, whole};
use crate::engine::backup::BackupError;
use crate::engine::backup::manifest::{Generation, STATES, SavedSnapshots, SavedState};
use crate::engine::backup::place::{Place, make_folder, sync_folder};
use crate::event::{Digest, Sequence};
use crate::log::{self, Log, LogId};
use crate::state::{self, Manifest, Snapshots, Store};

/// How many came back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Back {
    pub(super) states: u64,
    pub(super) snapshots: u64,
}

/// Restores the states that fit the log and the catalogue, and the snapshots that fit the log.
pub(super) fn states(place: &Place, generation: &Generation, dir: &Path) -> Result<Back, BackupError> {
    let Some(catalogue) = generation.files.iter().find(|file| file.name == CATALOGUE) else {
        return Ok(Back::default());
    };
    let text = whole(place, &catalogue.digest)?;
    let known: BTreeSet<_> = returning(place, &catalogue.digest, &text)?.states.into_iter().collect();
    let log = Log::open(&dir.join("log.redb"), &log::Options::default())?;
    let reader = log.reader()?;
    let mut back = Back::default();
    for state in &generation.states {
        let identity: Digest = state.identity.parse().expect("it was checked when it was read");
        let is_known = known.contains(&(state.projection.clone(), identity));
        let sequence = Sequence(state.sequence);
        let fits = sequence == Sequence::ZERO
            || sequence <= reader.head().sequence && is_chain_at(&reader, sequence, &state.chain_head)?;
        if is_known && fits {
            restore_state(place, state, identity, log.id(), dir)?;
            back.states += 1;
        }
    }
    for snapshots in &generation.snapshots {
        if known.iter().any(|(projection, _)| *projection == snapshots.projection) {
            back.snapshots += restore_snapshots(place, snapshots, &log, dir)?;
        }
    }
    Ok(back)
}

/// Restores those of a projection's snapshots that are of the log as it is now; says how many.
fn restore_snapshots(place: &Place, saved: &SavedSnapshots, log: &Log, dir: &Path) -> Result<u64, BackupError> {
    let folder = dir.join("projections").join(&saved.projection);
    make_folder(&folder)?;
    let path = folder.join("snapshots.redb");
    let snapshots = digested(place, &saved.digest, |content| Snapshots::of_copy(&path, log.id().0, content))?;
    let reader = log.reader()?;
    let mut fitting = BTreeSet::new();
    for taken in snapshots.list()? {
        if taken.sequence <= reader.head().sequence && is_chain_at(&reader, taken.sequence, &taken.chain.to_string())? {
            fitting.insert((taken.identity, taken.sequence));
        }
    }
    let key = |manifest: &Manifest| (manifest.identity, manifest.checkpoint.sequence);
    snapshots.remove(|manifest| !fitting.contains(&key(manifest)))?;
    snapshots.settle()?;
    drop(snapshots);
    if fitting.is_empty() {
        std::fs::remove_file(&path).map_err(BackupError::file(&path))?;
    }
    sync_folder(&folder)?;
    Ok(fitting.len() as u64)
}

fn restore_state(
    place: &Place,
    state: &SavedState,
    identity: Digest,
    log_id: LogId,
    dir: &Path,
) -> Result<(), BackupError> {
    let folder = dir.join("projections").join(&state.projection);
    make_folder(&folder)?;
    let path = folder.join(format!("{identity}.redb"));
    drop(digested(place, &state.digest, |content| Store::of_copy(&path, identity, log_id.0, content))?);
    sync_folder(&folder)
}

/// Makes something of a copy, whose digest must be its name.
fn digested<T>(
    place: &Place,
    digest: &str,
    make: impl FnOnce(&mut dyn Read) -> Result<T, state::Error>,
) -> Result<T, BackupError> {
    let name = format!("{STATES}/{digest}");
    let mut content = Digested { content: place.open(&name)?, hasher: blake3::Hasher::new() };
    let made = make(&mut std::io::BufReader::with_capacity(1 << 20, &mut content));
    let found = content.hasher.finalize().to_hex();
    if found.as_str() != digest {
        return Err(BackupError::damaged(place.shown(&name), format!("its digest is {found}")));
    }
    Ok(made?)
}

/// Whether that is the log's chain head behind an event. Within folded events nobody knows it: what stands there is made anew.
fn is_chain_at(reader: &log::Reader, sequence: Sequence, chain: &str) -> Result<bool, log::Error> {
    match reader.chain_at(sequence) {
        Ok(found) => Ok(found.to_string() == chain),
        Err(log::Error::InFolded { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
