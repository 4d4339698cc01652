//! Removing snapshots, and with them the nodes that no other one has.

use std::collections::HashSet;

use super::{Manifest, NODES, SNAPSHOTS, Snapshots, View};
use crate::event::{Digest, Sequence};
use crate::state::Error;

/// A snapshot that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub identity: Digest,
    pub sequence: Sequence,
    pub why: String,
}

impl Snapshots {
    /// Removes the snapshots that `is_over` names, and all nodes that no other one has. Returns how many there were. As long as
    /// one cannot be read, all nodes stay: nobody knows which are its.
    pub fn remove(&self, mut is_over: impl FnMut(&Manifest) -> bool) -> Result<usize, Error> {
        let _writing = self.writing();
        let (mut over, mut kept, mut is_whole) = (Vec::new(), Vec::new(), true);
        for (key, manifest) in self.manifests()? {
            match manifest {
                Some(manifest) if is_over(&manifest) => over.push(key),
                Some(_) => kept.push(key),
                None => is_whole = false,
            }
        }
        match (over.is_empty(), is_whole) {
            (true, _) => {}
            (false, true) => self.sweep(&over, &kept)?,
            (false, false) => self.drop_rows(&over)?,
        }
        Ok(over.len())
    }

    /// Reads all snapshots and removes those that are damaged, after `before` was told of them: an error of it leaves them.
    /// Returns them, each with what is wrong.
    pub fn scrub<E: From<Error>>(&self, before: impl FnOnce(&[Damaged]) -> Result<(), E>) -> Result<Vec<Damaged>, E> {
        let _writing = self.writing();
        let (mut bad, mut kept) = (Vec::new(), Vec::new());
        for (key, _) in self.manifests()? {
            let checked = self.view(key.0, key.1).and_then(|view| view.map_or(Ok(()), |view| view.check()));
            match checked {
                Ok(()) => kept.push(key),
                Err(error) => bad.push(Damaged { identity: key.0, sequence: key.1, why: error.what() }),
            }
        }
        if !bad.is_empty() {
            before(&bad)?;
        }
        let over: Vec<_> = bad.iter().map(|damaged| (damaged.identity, damaged.sequence)).collect();
        self.sweep(&over, &kept)?;
        Ok(bad)
    }

    fn drop_rows(&self, over: &[(Digest, Sequence)]) -> Result<(), Error> {
        let dropped = self.guarded(|| {
            let transaction = self.db.begin_write()?;
            {
                let mut snapshots = transaction.open_table(SNAPSHOTS)?;
                for (identity, sequence) in over {
                    snapshots.remove((&identity.0, sequence.0))?;
                }
            }
            Ok(transaction.commit()?)
        });
        self.reopening(dropped)
    }

    /// Removes manifests, and every node that none of those kept has: also what a snapshot left that was broken off.
    fn sweep(&self, over: &[(Digest, Sequence)], kept: &[(Digest, Sequence)]) -> Result<(), Error> {
        let mut live = HashSet::new();
        for (identity, sequence) in kept {
            if let Some(view) = self.view(*identity, *sequence)? {
                mark(&view, &mut live)?;
            }
        }
        let swept = self.guarded(|| {
            let transaction = self.db.begin_write()?;
            {
                let mut snapshots = transaction.open_table(SNAPSHOTS)?;
                for (identity, sequence) in over {
                    snapshots.remove((&identity.0, sequence.0))?;
                }
                transaction.open_table(NODES)?.retain(|digest, _| live.contains(digest))?;
            }
            Ok(transaction.commit()?)
        });
        self.reopening(swept)
    }
}

/// Adds all nodes of a snapshot.
fn mark(view: &View, live: &mut HashSet<[u8; 32]>) -> Result<(), Error> {
    let manifest = view.manifest();
    if manifest.totals.entries == 0 {
        return Ok(());
    }
    let mut open = vec![(manifest.digest, manifest.level)];
    while let Some((digest, level)) = open.pop() {
        if live.insert(digest.0) && level > 0 {
            open.extend(view.node(digest, level)?.items.iter().map(|item| (item.digest, level - 1)));
        }
    }
    Ok(())
}
