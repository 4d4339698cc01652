//! The imports of a plugin that runs natively: those of the harness whose call is in hand on this thread.

use crate::Error;
use crate::context::Envelope;
use crate::log::Level;
use crate::state::{Change, Entry};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The ABI's limits, which a host enforces by a trap.
const KEY_BYTES_MAX: usize = 1024;
const VALUE_BYTES_MAX: usize = 1024 * 1024;
const SCAN_PAGE_MAX: usize = 1000;

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// A message that a plugin has logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub level: Level,
    pub message: String,
}

/// What a host keeps for one plugin.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) entries: BTreeMap<String, Vec<u8>>,
    pub(super) envelopes: BTreeMap<u64, Envelope>,
    pub(super) parameters: String,
    pub(super) logs: Vec<Logged>,
    pub(super) head: u64,
    /// What the call in hand has replaced, oldest first.
    undo: Vec<(String, Option<Vec<u8>>)>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            parameters: "{}".into(),
            logs: Vec::new(),
            head: 0,
            undo: Vec::new(),
        }
    }
}

impl Host {
    /// Makes a call, with this in reach of the imports. If it fails, its changes are taken back.
    pub(super) fn call<T>(&mut self, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        HOST.with_borrow_mut(|host| std::mem::swap(host, self));
        let result = call();
        HOST.with_borrow_mut(|host| std::mem::swap(host, self));
        let undo = std::mem::take(&mut self.undo);
        if result.is_err() {
            undo.into_iter().rev().for_each(|(key, old)| drop(self.set(&key, old)));
        }
        result
    }

    /// Sets or deletes an entry and returns what was there.
    fn set(&mut self, key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match value {
            Some(value) => self.entries.insert(key.to_owned(), value),
            None => self.entries.remove(key),
        }
    }

    fn change(&mut self, key: &str, value: Option<Vec<u8>>) {
        check_key(key);
        let bytes = value.as_ref().map_or(0, Vec::len);
        assert!(bytes <= VALUE_BYTES_MAX, "the value of key {key:?} has {bytes} bytes, more than {VALUE_BYTES_MAX}");
        let old = self.set(key, value);
        self.undo.push((key.to_owned(), old));
    }
}

fn check_key(key: &str) {
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len());
    assert!(fits, "the key {key:?} has {} bytes, a key has 1 to {KEY_BYTES_MAX}", key.len());
}

pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
    check_key(key);
    HOST.with_borrow(|host| host.entries.get(key).cloned())
}

pub(crate) fn get_many(keys: &[String]) -> Vec<Option<Vec<u8>>> {
    keys.iter().map(|key| get(key)).collect()
}

pub(crate) fn put(key: &str, value: &[u8]) {
    HOST.with_borrow_mut(|host| host.change(key, Some(value.to_vec())));
}

pub(crate) fn delete(key: &str) {
    HOST.with_borrow_mut(|host| host.change(key, None));
}

pub(crate) fn write(changes: &[Change]) {
    HOST.with_borrow_mut(|host| changes.iter().for_each(|change| host.change(&change.key, change.value.clone())));
}

pub(crate) fn scan(prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
    let limit = (limit as usize).min(SCAN_PAGE_MAX);
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    HOST.with_borrow(|host| {
        let found = host.entries.range::<str, _>((start, Bound::Unbounded));
        let found = found.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        found.map(|(key, value)| Entry { key: key.clone(), value: value.clone() }).collect()
    })
}

pub(crate) fn envelope_of(sequence: u64) -> Option<Envelope> {
    HOST.with_borrow(|host| host.envelopes.get(&sequence).cloned())
}

pub(crate) fn parameters() -> String {
    HOST.with_borrow(|host| host.parameters.clone())
}

pub(crate) fn log(level: Level, message: &str) {
    HOST.with_borrow_mut(|host| host.logs.push(Logged { level, message: message.to_owned() }));
}
