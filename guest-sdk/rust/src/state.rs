//! The projection's state: entries, ordered by key.
//!
//! Reads see the writes of the same call. Keys are 1 to 1,024 bytes, values at most 1 MiB; what breaks a limit traps.
//! A host call costs some 0.3 µs, so `get_many` and `write` beat `get` and `put` in a loop.

use crate::{Error, cbor};
use serde::{Serialize, de::DeserializeOwned};

#[cfg(target_arch = "wasm32")]
use crate::bindings::projection::polyfold::plugin::state as imports;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports;

pub use crate::bindings::projection::polyfold::plugin::state::{Change, Entry};

/// Returns the value of a key.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    get_bytes(key).map(|bytes| read(key, &bytes)).transpose()
}

/// Returns the values of many keys, in their order, by one host call.
pub fn get_many<T: DeserializeOwned>(keys: &[String]) -> Result<Vec<Option<T>>, Error> {
    let values = get_many_bytes(keys);
    keys.iter().zip(values).map(|(key, value)| value.map(|bytes| read(key, &bytes)).transpose()).collect()
}

/// Sets the value of a key.
pub fn put<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Error> {
    put_bytes(key, &to_bytes(key, value)?);
    Ok(())
}

/// Removes a key; nothing happens if there is no such entry.
pub fn delete(key: &str) {
    imports::delete(key);
}

/// Returns up to `limit` entries (never more than 1,000) whose key starts with `prefix`, in key order, behind the key
/// `after` if it is given. An empty answer means that there are no more.
pub fn scan<T: DeserializeOwned>(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<(String, T)>, Error> {
    let read_entry = |Entry { key, value }| read(&key, &value).map(|value| (key, value));
    scan_bytes(prefix, after, limit).into_iter().map(read_entry).collect()
}

/// Returns the bytes of a key's value.
pub fn get_bytes(key: &str) -> Option<Vec<u8>> {
    imports::get(key)
}

/// Returns the bytes of many keys' values, in their order, by one host call.
pub fn get_many_bytes(keys: &[String]) -> Vec<Option<Vec<u8>>> {
    imports::get_many(keys)
}

/// Sets the bytes of a key's value.
pub fn put_bytes(key: &str, value: &[u8]) {
    imports::put(key, value);
}

/// Makes many changes, in their order, by one host call.
pub fn write(changes: &[Change]) {
    imports::write(changes);
}

/// Returns entries as [`scan`] does, their values as bytes.
pub fn scan_bytes(prefix: &str, after: Option<&str>, limit: u32) -> Vec<Entry> {
    imports::scan(prefix, after, limit)
}

pub(crate) fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    cbor::from_slice(bytes).map_err(|error| Error::new(format!("cannot read the state's entry \"{key}\": {error}")))
}

pub(crate) fn to_bytes<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    cbor::to_vec(value).map_err(|error| Error::new(format!("cannot write the state's entry \"{key}\": {error}")))
}
