//! Keys as lines of text: a copy that is kept apart, and what becomes of one that comes back.
//!
//! ```text
//! {"polyfold_keys":1,"log_id":UUID,"categories":[…]}
//! {"stream":TEXT,"at":RFC3339,"key":64 hex digits,"has_earlier":BOOL}    a key
//! {"stream":TEXT,"at":RFC3339}                                          the stream was forgotten
//! {"lines":how many lines of streams came before,"checksum":BLAKE3 of all bytes before this line}
//! ```

use std::io::BufRead;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cipher::{Secret, StreamKey};
use super::shard::Standing;
use super::{KeyInfo, Keys, check_category};
use crate::engine::{Engine, Error};
use crate::event::{StreamName, Timestamp};

const FORMAT: u32 = 1;
/// Longer than any line of an export.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// So many keys are made durable at once.
const ADDED_AT_ONCE: usize = 10_000;

/// One line of an export.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KeyLine {
    Begin(Begin),
    Stream(Stream),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    polyfold_keys: u32,
    log_id: String,
    categories: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    stream: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_earlier: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    lines: u64,
    checksum: String,
}

/// What an import of keys did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedKeys {
    /// Keys that were not here.
    pub added: u64,
    /// Keys that were here.
    pub known: u64,
    /// Streams that were forgotten where the file comes from, and are now forgotten here; they had no key here.
    pub forgotten: u64,
    /// Keys that were not taken, because their streams were forgotten here.
    pub refused: u64,
    /// Streams that were forgotten where the file comes from, and have a key here, which stays: `forget` them here, too.
    pub alive: Vec<String>,
}

impl Engine {
    /// Encrypts what is appended to these categories from now on; there is no way back.
    pub fn encrypt(&self, categories: &[String]) -> Result<(), Error> {
        self.hub.keys.encrypt(categories)
    }

    /// All streams that have a key, or had one, by name.
    pub fn keys(&self) -> Result<Vec<KeyInfo>, Error> {
        self.hub.keys.list()
    }

    /// Writes all keys as lines; `write` says whether anybody takes more.
    pub fn export_keys(&self, write: &mut dyn FnMut(Zeroizing<String>) -> bool) -> Result<(), Error> {
        self.hub.keys.export(write)
    }

    /// Takes the keys of an export that are not here, once all of it is read and sound. What was forgotten here stays
    /// forgotten.
    pub fn import_keys(&self, input: &mut dyn BufRead) -> Result<ImportedKeys, Error> {
        self.hub.keys.import(input)
    }
}

impl Keys {
    /// Writes all keys as lines; `write` says whether anybody takes more.
    fn export(&self, write: &mut dyn FnMut(Zeroizing<String>) -> bool) -> Result<(), Error> {
        let mut hasher = blake3::Hasher::new();
        let mut put = |line: KeyLine, hasher: &mut blake3::Hasher| {
            let mut text = Zeroizing::new(serde_json::to_string(&line).expect("a line is plain data"));
            text.push('\n');
            hasher.update(text.as_bytes());
            write(text)
        };
        let categories = self.categories().iter().cloned().collect();
        let begin = Begin { polyfold_keys: FORMAT, log_id: self.folder.log().to_string(), categories };
        if !put(KeyLine::Begin(begin), &mut hasher) {
            return Ok(());
        }
        let mut lines = 0;
        for number in 0..=u8::MAX {
            let all = self.with(number, |shard| Ok(shard.streams.clone()))?;
            for (stream, standing) in all {
                let (at, key, has_earlier) = match standing {
                    Standing::Key { key, has_earlier, at } => {
                        (at, Some(Zeroizing::new(hex(&**key.secret()))), has_earlier)
                    }
                    Standing::Forgotten { at } => (at, None, false),
                };
                lines += 1;
                let line = Stream { stream, at: at.to_string(), key, has_earlier };
                if !put(KeyLine::Stream(line), &mut hasher) {
                    return Ok(());
                }
            }
        }
        let checksum = hasher.finalize().to_hex().to_string();
        put(KeyLine::End(End { lines, checksum }), &mut hasher);
        Ok(())
    }

    /// Takes the keys of an export that are not here, once all of it is read and sound. What was forgotten here stays
    /// forgotten.
    fn import(&self, input: &mut dyn BufRead) -> Result<ImportedKeys, Error> {
        let (categories, streams) = parse(input, &self.folder.log().to_string()).map_err(Error::KeyFile)?;
        let mut imported = ImportedKeys::default();
        let mut new = Vec::new();
        for (stream, standing) in streams {
            match (self.standing(&stream)?, &standing) {
                (None, Standing::Key { .. }) => imported.added += 1,
                (None, Standing::Forgotten { .. }) => imported.forgotten += 1,
                (Some(Standing::Key { key: own, .. }), Standing::Key { key, .. }) if own.id() != key.id() => {
                    let why = format!("stream {stream:?} has another key here; it is of another copy of the log");
                    return Err(Error::KeyFile(why));
                }
                (Some(Standing::Key { .. }), Standing::Key { .. }) => {
                    imported.known += 1;
                    continue;
                }
                (Some(Standing::Key { .. }), Standing::Forgotten { .. }) => {
                    imported.alive.push(stream);
                    continue;
                }
                (Some(Standing::Forgotten { .. }), Standing::Key { .. }) => {
                    imported.refused += 1;
                    continue;
                }
                (Some(Standing::Forgotten { .. }), Standing::Forgotten { .. }) => continue,
            }
            new.push((stream, standing));
        }
        self.encrypt(&categories)?;
        let mut new = new.into_iter().peekable();
        while new.peek().is_some() {
            self.add(new.by_ref().take(ADDED_AT_ONCE).collect())?;
        }
        Ok(imported)
    }
}

type Parsed = (Vec<String>, Vec<(String, Standing)>);

fn parse(input: &mut dyn BufRead, log_id: &str) -> Result<Parsed, String> {
    let (mut categories, mut streams) = (None, Vec::new());
    let (mut hasher, mut number) = (blake3::Hasher::new(), 0);
    let mut line = Zeroizing::new(String::new());
    loop {
        line.clear();
        number += 1;
        let read = std::io::Read::take(&mut *input, LINE_BYTES_MAX).read_line(&mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            return Err("it ends early: its last line is missing".to_owned());
        }
        let at = |why: String| format!("line {number}: {why}");
        // Nothing of the line is shown: it may hold a key.
        match (serde_json::from_str(&line).map_err(|_| at("it is no line of keys".to_owned()))?, &categories) {
            (KeyLine::Begin(begin), None) => {
                if begin.polyfold_keys > FORMAT {
                    return Err(at(format!("a later release wrote it (format {})", begin.polyfold_keys)));
                }
                if begin.log_id != log_id {
                    return Err(at(format!("its keys are those of log {}, this one is {log_id}", begin.log_id)));
                }
                begin.categories.iter().try_for_each(|it| check_category(it).map_err(|error| at(error.to_string())))?;
                categories = Some(begin.categories);
            }
            (KeyLine::Stream(stream), Some(_)) => streams.push(standing(stream).map_err(at)?),
            (KeyLine::End(end), Some(_)) => {
                let is_whole = end.lines == streams.len() as u64;
                if !is_whole || end.checksum != hasher.finalize().to_hex().as_str() {
                    return Err("it is damaged: its checksum is of other content".to_owned());
                }
                return Ok((categories.unwrap_or_default(), streams));
            }
            (KeyLine::Begin(_), Some(_)) | (KeyLine::Stream(_) | KeyLine::End(_), None) => {
                return Err(at("it is no export of keys".to_owned()));
            }
        }
        hasher.update(line.as_bytes());
    }
}

fn standing(line: Stream) -> Result<(String, Standing), String> {
    let stream = StreamName::new(line.stream).map_err(|error| error.to_string())?.to_string();
    let at: Timestamp = line.at.parse().map_err(|_| "its time is none".to_owned())?;
    let Some(key) = line.key else { return Ok((stream, Standing::Forgotten { at })) };
    let mut secret = Secret::default();
    unhex(&key, &mut secret).ok_or("its key is none")?;
    Ok((stream, Standing::Key { key: Arc::new(StreamKey::new(secret)), has_earlier: line.has_earlier, at }))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    // Of the right length at once, so that no copy of it stays behind.
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

fn unhex(text: &str, bytes: &mut [u8; 32]) -> Option<()> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(())
}
