// The ops that try the state and what surrounds a call: entries, pages, many at once, context.

import { context as surroundings, encodeCbor, encodeUtf8, fail, state } from "../polyfold/index.js";

export function echo(event, { key, value }) {
  // By bytes: an undefined value is one of CBOR's, which `state.put` takes for a mistake.
  state.raw.put(`echo/${key}`, encodeCbor(value));
}

function remove(event, { key }) {
  state.delete(`echo/${key}`);
}

// A name that a function cannot be declared by.
export { remove as delete };

export function text(event, { value }) {
  state.put(`text/${value}`, { bytes: encodeUtf8(value).length, code_points: [...value].length });
}

export function large(event, { key_bytes, value_bytes, seed }) {
  const key = "large/".padEnd(key_bytes, "k");
  const content = new Uint8Array(value_bytes - 5);
  // An array of bytes keeps a number modulo 256, so the pattern repeats after as many; copying it is native and cheap.
  for (let i = 0; i < 256; i++) content[i] = i * 31 + seed;
  for (let filled = 256; filled < content.length; filled *= 2) content.copyWithin(filled, 0, filled);
  state.put(key, content);
}

export function fill(event, { prefix, count }) {
  const entry = (_, i) => [`fill/${prefix}/${String(i).padStart(5, "0")}`, i];
  state.write(Array.from({ length: count }, entry));
}

export function scan(event, { prefix, page }) {
  let [entries, bytes, hash] = [0, 0, 2166136261];
  for (const [key, value] of state.raw.entries(prefix, { limit: page })) {
    const keyBytes = encodeUtf8(key);
    hash = fnv1a(fnv1a(hash, keyBytes), value);
    entries += 1;
    bytes += keyBytes.length + value.length;
  }
  state.put(`scan/${event.sequence}`, { entries, bytes, hash });
}

/** Goes on with a hash. The prime is 2^24 + 403: multiplied in two parts no digit is lost. */
function fnv1a(hash, bytes) {
  for (let i = 0; i < bytes.length; i++) {
    const mixed = hash ^ bytes[i];
    hash = ((mixed << 24) + mixed * 403) | 0;
  }
  return hash >>> 0;
}

export function many(event, { keys }) {
  const values = state.raw.getMany(keys.map((key) => `echo/${key}`)).filter((value) => value !== undefined);
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  state.put(`many/${event.sequence}`, { found: values.length, bytes });
}

export function write(event, { entries }) {
  const change = (entry) => [`echo/${entry[0]}`, entry.length === 2 ? encodeCbor(entry[1]) : undefined];
  state.raw.write(entries.map(change));
}

export function context(event) {
  const envelope = surroundings.envelopeOf(event.sequence);
  if (!envelope) fail(`event ${event.sequence} has no envelope`);
  state.put(`context/${event.sequence}`, {
    id: envelope.id,
    actor: envelope.actor,
    occurred_at: envelope.occurredAt,
    causation_id: envelope.causationId,
    correlation_id: envelope.correlationId,
    metadata: envelope.metadata,
    tags: envelope.tags,
    sequence: event.sequence,
    stream: event.stream,
    version: event.version,
    event_type: event.eventType,
    schema_version: event.schemaVersion,
    recorded_at: event.recordedAt,
  });
}

export function parameters() {
  state.put("parameters", surroundings.parametersText());
}
