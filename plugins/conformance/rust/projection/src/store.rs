//! The ops that try the state and what surrounds a call: entries, pages, many at once, context.

use polyfold_guest::cbor::{self, Value};
use polyfold_guest::state::{self, Change};
use polyfold_guest::{Error, Event, bail, context};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(crate) struct Echo<'a> {
    key: &'a str,
    value: Value,
}

pub(crate) fn echo(Echo { key, value }: Echo<'_>) -> Result<(), Error> {
    state::put(&format!("echo/{key}"), &value)
}

#[derive(Deserialize)]
pub(crate) struct Delete<'a> {
    key: &'a str,
}

pub(crate) fn delete(Delete { key }: Delete<'_>) -> Result<(), Error> {
    state::delete(&format!("echo/{key}"));
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Text<'a> {
    value: &'a str,
}

#[derive(Serialize)]
struct Lengths {
    bytes: usize,
    code_points: usize,
}

pub(crate) fn text(Text { value }: Text<'_>) -> Result<(), Error> {
    state::put(&format!("text/{value}"), &Lengths { bytes: value.len(), code_points: value.chars().count() })
}

#[derive(Deserialize)]
pub(crate) struct Large {
    key_bytes: usize,
    value_bytes: usize,
    seed: u32,
}

pub(crate) fn large(Large { key_bytes, value_bytes, seed }: Large) -> Result<(), Error> {
    let prefix = "large/";
    let Some(filling) = key_bytes.checked_sub(prefix.len()) else { bail!("key_bytes is below {}", prefix.len()) };
    if value_bytes < 65_541 {
        bail!("value_bytes is below 65541, where the head has 5 bytes");
    }
    // Each product and sum wraps at 2^32, which 256 divides.
    let content = (0..value_bytes as u32 - 5).map(|i| i.wrapping_mul(31).wrapping_add(seed) as u8).collect();
    state::put(&format!("{prefix}{}", "k".repeat(filling)), &Value::Bytes(content))
}

#[derive(Deserialize)]
pub(crate) struct Fill<'a> {
    prefix: &'a str,
    count: u32,
}

pub(crate) fn fill(Fill { prefix, count }: Fill<'_>) -> Result<(), Error> {
    let change = |index| Ok(Change { key: format!("fill/{prefix}/{index:05}"), value: Some(cbor::to_vec(&index)?) });
    state::write(&(0..count).map(change).collect::<Result<Vec<_>, Error>>()?);
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Scan<'a> {
    prefix: &'a str,
    page: u32,
}

/// Fields in canonical order.
#[derive(Serialize)]
struct Scanned {
    hash: u32,
    bytes: usize,
    entries: usize,
}

pub(crate) fn scan(event: &Event, Scan { prefix, page }: Scan<'_>) -> Result<(), Error> {
    const FNV_OFFSET: u32 = 2_166_136_261;
    const FNV_PRIME: u32 = 16_777_619;
    let mut scanned = Scanned { hash: FNV_OFFSET, bytes: 0, entries: 0 };
    let mut after = None;
    loop {
        let entries = state::scan_bytes(prefix, after.as_deref(), page);
        for entry in &entries {
            for byte in entry.key.as_bytes().iter().chain(&entry.value) {
                scanned.hash = (scanned.hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME);
            }
            scanned.bytes += entry.key.len() + entry.value.len();
        }
        scanned.entries += entries.len();
        let Some(last) = entries.into_iter().next_back() else { break };
        after = Some(last.key);
    }
    state::put(&format!("scan/{}", event.sequence), &scanned)
}

#[derive(Deserialize)]
pub(crate) struct Many<'a> {
    #[serde(borrow)]
    keys: Vec<&'a str>,
}

/// Fields in canonical order.
#[derive(Serialize)]
struct Found {
    bytes: usize,
    found: usize,
}

pub(crate) fn many(event: &Event, Many { keys }: Many<'_>) -> Result<(), Error> {
    let keys: Vec<String> = keys.iter().map(|key| format!("echo/{key}")).collect();
    let mut found = Found { bytes: 0, found: 0 };
    for value in state::get_many_bytes(&keys).into_iter().flatten() {
        found.bytes += value.len();
        found.found += 1;
    }
    state::put(&format!("many/{}", event.sequence), &found)
}

#[derive(Deserialize)]
pub(crate) struct Write {
    entries: Vec<Vec<Value>>,
}

pub(crate) fn write(Write { entries }: Write) -> Result<(), Error> {
    let change = |entry: &Vec<Value>| match entry.as_slice() {
        [Value::Text(key)] => Ok(Change { key: format!("echo/{key}"), value: None }),
        [Value::Text(key), value] => Ok(Change { key: format!("echo/{key}"), value: Some(cbor::to_vec(value)?) }),
        _ => bail!("an entry to write is a key, and a value or none"),
    };
    state::write(&entries.iter().map(change).collect::<Result<Vec<_>, Error>>()?);
    Ok(())
}

/// Fields in canonical order.
#[derive(Serialize)]
struct Context<'a> {
    id: &'a str,
    tags: &'a [String],
    actor: Option<&'a str>,
    stream: &'a str,
    version: u64,
    metadata: BTreeMap<&'a str, &'a str>,
    sequence: u64,
    event_type: &'a str,
    occurred_at: Option<i64>,
    recorded_at: u64,
    causation_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
    schema_version: u32,
}

pub(crate) fn context(event: &Event) -> Result<(), Error> {
    let Some(envelope) = context::envelope(event.sequence) else { bail!("event {} has no envelope", event.sequence) };
    let context = Context {
        id: &envelope.id,
        tags: &envelope.tags,
        actor: envelope.actor.as_deref(),
        stream: &event.stream,
        version: event.version,
        metadata: envelope.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        sequence: event.sequence,
        event_type: &event.event_type,
        occurred_at: envelope.occurred_at,
        recorded_at: event.recorded_at,
        causation_id: envelope.causation_id.as_deref(),
        correlation_id: envelope.correlation_id.as_deref(),
        schema_version: event.schema_version,
    };
    state::put(&format!("context/{}", event.sequence), &context)
}

pub(crate) fn parameters() -> Result<(), Error> {
    state::put("parameters", &context::parameters_json())
}
