//! A state as a plugin sees it: what is on disk, under the changes that are not there yet.
//!
//! From the bottom up: a snapshot of the file, changes on their way to it, changes kept since, and a layer for each thing
//! in hand (a call; around it an append, around that a group of them), which is kept or discarded as a whole.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::{Base, Changes, Entry, Error, Reader, Totals};

/// Entries that are read at once on the way through all.
const PAGE_ENTRIES: usize = 512;

/// A state and the changes laid over it.
#[derive(Debug)]
pub struct Overlay {
    base: Base,
    committing: Option<Arc<Changes>>,
    /// The lowest has what was kept; above it lies what was begun.
    layers: Vec<Changes>,
}

impl Default for Overlay {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl Overlay {
    pub fn new(base: impl Into<Base>) -> Self {
        Self { base: base.into(), committing: None, layers: vec![Changes::default()] }
    }

    /// An empty state that has no file.
    pub fn in_memory() -> Self {
        Self::new(Base::Nothing)
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        for layer in self.downwards() {
            if let Some(change) = layer.get(key) {
                return Ok(change.map(<[u8]>::to_vec));
            }
        }
        self.base.get(key)
    }

    pub fn set(&mut self, key: &str, value: Option<Vec<u8>>) {
        self.top().set(key.to_owned(), value);
    }

    /// At most `limit` entries whose key starts with `prefix` and lies behind `after`, in key order.
    pub fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, Error> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        self.page(start, prefix, limit)
    }

    fn page(&self, start: Bound<&str>, prefix: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut layers: Vec<Peekable<_>> = self.downwards().map(|layer| layer.range_from(start).peekable()).collect();
        let mut base = self.base.range_from(start)?.peekable();
        let mut entries = Vec::new();
        while entries.len() < limit {
            let from_layers = layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, _)| key.as_str())).min();
            if let Some(failed) = base.next_if(Result::is_err) {
                failed?;
            }
            let from_base = base.peek().and_then(|entry| entry.as_ref().ok()).map(|(key, _)| key.as_str());
            let Some(key) = from_layers.into_iter().chain(from_base).min().map(str::to_owned) else { break };
            if !key.starts_with(prefix) {
                break;
            }
            let stored = base.next_if(|entry| matches!(entry, Ok((found, _)) if *found == key));
            let mut changes = layers.iter_mut().filter_map(|layer| layer.next_if(|(found, _)| **found == key));
            // The uppermost layer has the last word; the others still have to step on.
            let change = changes.next().map(|(_, value)| value.clone());
            changes.for_each(drop);
            let value = match (change, stored) {
                (Some(change), _) => change,
                (None, Some(stored)) => Some(stored?.1),
                (None, None) => None,
            };
            if let Some(value) = value {
                entries.push((key, value));
            }
        }
        Ok(entries)
    }

    /// All entries in key order.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, Error>> {
        self.range_from(Bound::Unbounded)
    }

    /// The entries from a key on, a page after the other.
    pub(super) fn range_from<'a>(&'a self, start: Bound<&str>) -> impl Iterator<Item = Result<Entry, Error>> + use<'a> {
        let mut start = start.map(str::to_owned);
        let (mut page, mut is_over) = (Vec::new().into_iter(), false);
        std::iter::from_fn(move || {
            if page.len() == 0 && !is_over {
                match self.page(start.as_ref().map(String::as_str), "", PAGE_ENTRIES) {
                    Ok(entries) => page = entries.into_iter(),
                    Err(error) => {
                        is_over = true;
                        return Some(Err(error));
                    }
                }
                match page.as_slice().last() {
                    Some((last, _)) => start = Bound::Excluded(last.clone()),
                    None => is_over = true,
                }
            }
            page.next().map(Ok)
        })
    }

    /// Lays a layer on top: what changes from here on is kept or discarded as a whole.
    pub fn begin(&mut self) {
        self.layers.push(Changes::default());
    }

    /// Keeps what changed since the last `begin`; it belongs to the layer below from now on.
    ///
    /// # Panics
    /// If nothing was begun.
    pub fn keep(&mut self) {
        let kept = self.end();
        self.top().merge(kept);
    }

    /// Discards what changed since the last `begin`.
    ///
    /// # Panics
    /// If nothing was begun.
    pub fn discard(&mut self) {
        self.end();
    }

    /// Takes out what changed since the last `begin`: whoever has it may [`Overlay::add`] it again.
    ///
    /// # Panics
    /// If nothing was begun.
    pub fn take(&mut self) -> Changes {
        self.end()
    }

    /// Lays changes over the uppermost layer, to which they belong from now on.
    pub fn add(&mut self, changes: Changes) {
        self.top().merge(changes);
    }

    fn end(&mut self) -> Changes {
        assert!(self.layers.len() > 1, "what ends was begun");
        self.layers.pop().expect("there are two or more")
    }

    fn top(&mut self) -> &mut Changes {
        self.layers.last_mut().expect("the lowest layer never goes")
    }

    /// What is not on its way to the file, kept or begun, from the bottom up.
    pub fn uncommitted(&self) -> impl Iterator<Item = &Changes> {
        self.layers.iter()
    }

    /// About how much memory the kept changes take.
    pub fn kept_bytes(&self) -> usize {
        self.layers[0].bytes()
    }

    /// The keys that were changed since the last commit.
    pub fn kept_keys(&self) -> impl Iterator<Item = &str> {
        self.layers[0].iter().map(|(key, _)| key)
    }

    /// Hands out the kept changes for a commit; they stay visible until [`Overlay::rebase`].
    ///
    /// # Panics
    /// If the changes handed out before are still on their way.
    pub fn begin_commit(&mut self) -> Arc<Changes> {
        assert!(self.committing.is_none(), "one commit at a time");
        let changes = Arc::new(std::mem::take(&mut self.layers[0]));
        self.committing = Some(Arc::clone(&changes));
        changes
    }

    /// Takes back the changes handed out, whose commit failed: they are kept, and go with the next.
    pub fn withdraw_commit(&mut self) {
        if let Some(changes) = self.committing.take() {
            let later = std::mem::replace(&mut self.layers[0], Arc::unwrap_or_clone(changes));
            self.layers[0].merge(later);
        }
    }

    /// Whether changes handed out are still on their way.
    pub fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Reads from a newer snapshot, which holds the changes handed out before.
    pub fn rebase(&mut self, base: Reader) {
        self.base = Base::from(base);
        self.committing = None;
    }

    /// What the entries come to without the uppermost layer.
    pub fn totals_below(&self) -> Result<Totals, Error> {
        let levels = self.upwards();
        (0..levels.len() - 1).try_fold(self.base.totals()?, |totals, level| self.grown(totals, &levels, level))
    }

    /// What the entries come to, all layers together.
    pub fn totals(&self) -> Result<Totals, Error> {
        let levels = self.upwards();
        (0..levels.len()).try_fold(self.base.totals()?, |totals, level| self.grown(totals, &levels, level))
    }

    /// What they come to with it, if without it that is `below`.
    pub fn totals_over(&self, below: Totals) -> Result<Totals, Error> {
        let levels = self.upwards();
        self.grown(below, &levels, levels.len() - 1)
    }

    fn grown(&self, mut totals: Totals, levels: &[&Changes], level: usize) -> Result<Totals, Error> {
        for (key, change) in levels[level].iter() {
            let known = levels[..level].iter().rev().find_map(|below| below.get(key));
            let old = match known {
                Some(value) => value.map(<[u8]>::len),
                None => self.base.get(key)?.map(|value| value.len()),
            };
            let size = |value: usize| (key.len() + value) as u64;
            if let Some(old) = old {
                totals.entries -= 1;
                totals.bytes -= size(old);
            }
            if let Some(new) = change {
                totals.entries += 1;
                totals.bytes += size(new.len());
            }
        }
        Ok(totals)
    }

    /// The layers over the snapshot, lowest first.
    fn upwards(&self) -> Vec<&Changes> {
        self.committing.as_deref().into_iter().chain(&self.layers).collect()
    }

    /// The layers over the snapshot, uppermost first.
    fn downwards(&self) -> impl Iterator<Item = &Changes> {
        self.layers.iter().rev().chain(self.committing.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Checkpoint, Marks, Store};
    use super::*;
    use crate::event::Digest;

    fn key(random: &mut fastrand::Rng) -> String {
        format!("{}{}", random.choice(["a/", "b/", "b", "\u{ff}"]).unwrap(), random.u8(0..20))
    }

    /// Random layers, kept or discarded, commits in two steps that may fail, and reads, against a stack of maps.
    #[test]
    fn reads_see_every_layer_and_nothing_that_was_discarded() {
        let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.redb"), Digest::ZERO, [0; 16]).unwrap();
        let mut overlay = Overlay::new(store.reader().unwrap());
        let mut models: Vec<BTreeMap<String, Vec<u8>>> = vec![BTreeMap::new()];
        for _ in 0..600 {
            let mut model = models.pop().unwrap();
            for _ in 0..random.usize(0..10) {
                let key = key(&mut random);
                let value = random.bool().then(|| vec![random.u8(..); random.usize(0..4)]);
                overlay.set(&key, value.clone());
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
            check(&overlay, &model, &mut random);
            models.push(model);
            match random.u8(0..6) {
                0..2 if models.len() < 5 => {
                    overlay.begin();
                    models.push(models[models.len() - 1].clone());
                }
                2 | 3 if models.len() > 1 => {
                    overlay.keep();
                    let below = models.len() - 2;
                    models.remove(below);
                }
                4 if models.len() > 1 => {
                    overlay.discard();
                    models.pop();
                }
                _ => {}
            }
            match (random.u8(0..6), overlay.is_committing()) {
                (0, false) => store.commit(&overlay.begin_commit(), Checkpoint::default(), &Marks::default()).unwrap(),
                (1, false) => drop(overlay.begin_commit()),
                (2, true) => overlay.withdraw_commit(),
                (3, true) => {
                    // Committed again by the second way to get here, which changes nothing.
                    let changes = overlay.committing.clone().unwrap();
                    store.commit(&changes, Checkpoint::default(), &Marks::default()).unwrap();
                    overlay.rebase(store.reader().unwrap());
                }
                _ => {}
            }
        }
    }

    fn check(overlay: &Overlay, model: &BTreeMap<String, Vec<u8>>, random: &mut fastrand::Rng) {
        let asked = key(random);
        assert_eq!(overlay.get(&asked).unwrap(), model.get(&asked).cloned());
        let prefix = *random.choice(&["", "a/", "b", "c"]).unwrap();
        let after = random.bool().then(|| key(random));
        let limit = random.usize(0..30);
        let expected = model.iter().filter(|(key, _)| key.starts_with(prefix));
        let expected = expected.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after)).take(limit);
        let expected: Vec<_> = expected.map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(overlay.scan(prefix, after.as_deref(), limit).unwrap(), expected, "{prefix:?} {after:?}");
    }
}
