//! What a check came to, as people read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cbor;
use crate::cli::output::{count, count_of};
use crate::engine::{Document, ProvedEntry, ProvedEvent, ProvedValue, Receipt, brief, one_line};
use crate::event::Envelope;
use crate::server::model::CheckedReceipt;

/// A line for each thing, what holds last. Whoever wrote the document wrote the texts in it: each stays on its line.
pub(super) fn checked(checked: &CheckedReceipt, document: &Document) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    match &checked.receipt {
        Receipt::State(state) => {
            let (entries, faults) = (count(state.entries), count_of(state.faults, "fault"));
            rows.push((
                "receipt",
                format!("state of projection {} at sequence {}", state.projection, count(state.sequence)),
            ));
            rows.push(("log", state.log_id.clone()));
            rows.push(("identity", state.identity.to_string()));
            rows.push(("state", format!("{} with {entries} entries, {faults}", state.state_digest)));
        }
        Receipt::Log(log) => {
            rows.push(("receipt", format!("log of {} events", count(log.sequence))));
            rows.push(("log", log.log_id.clone()));
        }
    }
    rows.extend(document.entry.as_ref().map(|proved| ("entry", entry(proved))));
    rows.extend(document.event.as_ref().map(|proved| ("event", event(proved))));
    rows.push(("made at", checked.receipt.log().made_at));
    rows.push(("key", brief(&checked.key)));
    let holds = checked.holds.iter().map(|aspect| serde_json::to_string(aspect).expect("it is plain data"));
    let holds: Vec<String> = holds.map(|name| name.trim_matches('"').replace('-', " ")).collect();
    rows.push(("holds", if holds.is_empty() { "nothing".to_owned() } else { holds.join(", ") }));
    let rows: Vec<String> = rows.into_iter().map(|(name, value)| format!("{name:<9} {}", one_line(&value))).collect();
    rows.join("\n")
}

fn entry(proved: &ProvedEntry) -> String {
    let value = match &proved.value {
        None => "nothing".to_owned(),
        Some(ProvedValue::Text(text)) => text.clone(),
        Some(ProvedValue::Base64(base64)) => as_json(base64).unwrap_or_else(|| format!("{base64} (base64)")),
    };
    format!("{} = {value}", proved.key)
}

fn event(proved: &ProvedEvent) -> String {
    let envelope = STANDARD.decode(&proved.envelope).unwrap_or_default();
    let payload = match &proved.payload {
        None => format!("payload withheld, BLAKE3 {}", proved.payload_digest),
        Some(base64) => as_json(base64).unwrap_or_else(|| format!("{base64} (base64)")),
    };
    let is_encrypted = Envelope::decode(&envelope).is_ok_and(|envelope| envelope.head.is_encrypted);
    let payload = if is_encrypted { format!("payload encrypted, BLAKE3 {}", proved.payload_digest) } else { payload };
    match Envelope::decode(&envelope) {
        Ok(Envelope { head, id, .. }) => format!(
            "{}  {}  {}@{}  {} v{}  id {id}  {payload}",
            head.sequence, head.recorded_at, head.stream, head.version, head.event_type, head.schema_version
        ),
        Err(error) => format!("{}: {error}", proved.sequence),
    }
}

/// Bytes that are one item of CBOR; most values and every payload are.
fn as_json(base64: &str) -> Option<String> {
    cbor::to_json(&STANDARD.decode(base64).ok()?).ok()
}
