/** The ops that try the state and what surrounds a call: entries, pages, many at once, context. */

import {
  Change, codePoints, context, Event, fail, failed, Fields, state, utf8Length, Value,
} from "../polyfold/assembly";

export function echo(fields: Fields): void {
  state.put("echo/" + fields.text("key"), fields.value("value"));
}

export function remove(fields: Fields): void {
  state.delete("echo/" + fields.text("key"));
}

export function text(fields: Fields): void {
  const value = fields.text("value");
  const lengths = Value.map()
    .set("bytes", Value.of(utf8Length(value)))
    .set("code_points", Value.of(codePoints(value)));
  state.put("text/" + value, lengths);
}

/** The head of a byte string of 65,536 bytes or more that fits 32 bits. */
const HEAD_BYTES = 5;

export function large(fields: Fields): void {
  const keyBytes = <i32>fields.integer("key_bytes");
  const valueBytes = <i32>fields.integer("value_bytes");
  const seed = <u32>fields.integer("seed");
  if (failed()) return;
  if (keyBytes < 6 || valueBytes < 65_541) return fail("too small");
  const content = new Uint8Array(valueBytes - HEAD_BYTES);
  for (let i = 0; i < content.length; i++) content[i] = <u8>(<u32>i * 31 + seed);
  state.put("large/" + "k".repeat(keyBytes - 6), Value.of(content));
}

export function fill(fields: Fields): void {
  const prefix = fields.text("prefix");
  const count = <i32>fields.integer("count");
  if (failed()) return;
  const changes = new Array<Change>(count);
  for (let i = 0; i < count; i++) {
    changes[i] = Change.put(`fill/${prefix}/${i.toString().padStart(5, "0")}`, Value.of(i));
  }
  state.write(changes);
}

const FNV_OFFSET: u32 = 2_166_136_261;
const FNV_PRIME: u32 = 16_777_619;

function hashed(hash: u32, bytes: Uint8Array): u32 {
  for (let i = 0; i < bytes.length; i++) hash = (hash ^ bytes[i]) * FNV_PRIME;
  return hash;
}

export function scan(event: Event, fields: Fields): void {
  const prefix = fields.text("prefix");
  const page = <u32>fields.integer("page");
  if (failed()) return;
  let hash = FNV_OFFSET;
  let bytes = 0;
  let count = 0;
  let after: string | null = null;
  while (true) {
    const entries = state.scan(prefix, after, page);
    if (entries.length == 0) break;
    for (let i = 0; i < entries.length; i++) {
      const key = Uint8Array.wrap(String.UTF8.encode(entries[i].key));
      const value = entries[i].bytes;
      hash = hashed(hashed(hash, key), value);
      bytes += key.length + value.length;
    }
    count += entries.length;
    after = entries[entries.length - 1].key;
  }
  const scanned = Value.map()
    .set("entries", Value.of(count))
    .set("bytes", Value.of(bytes))
    .set("hash", Value.of(hash));
  state.put(`scan/${event.sequence}`, scanned);
}

export function many(event: Event, fields: Fields): void {
  const reader = fields.reader("keys");
  const keys = new Array<string>();
  for (let left = reader.array(); left > 0; left--) keys.push("echo/" + reader.text());
  if (failed()) return;
  const values = state.getManyBytes(keys);
  let found = 0;
  let bytes = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null) continue;
    found++;
    bytes += value.length;
  }
  state.put(`many/${event.sequence}`, Value.map().set("found", Value.of(found)).set("bytes", Value.of(bytes)));
}

export function write(fields: Fields): void {
  const entries = fields.value("entries").asArray();
  const changes = new Array<Change>();
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i].asArray();
    if (entry.length < 1 || entry.length > 2) return fail("an entry to write is a key, and a value or none");
    const key = "echo/" + entry[0].asText();
    changes.push(entry.length == 1 ? Change.delete(key) : Change.put(key, entry[1]));
  }
  state.write(changes);
}

function optional(text: string | null): Value {
  return text === null ? Value.null() : Value.of<string>(text);
}

export function surroundings(event: Event): void {
  const envelope = context.envelope(event.sequence);
  if (envelope === null) return fail(`event ${event.sequence} has no envelope`);
  const metadata = Value.map();
  const names = envelope.metadata.keys();
  for (let i = 0; i < names.length; i++) metadata.set(names[i], Value.of(envelope.metadata.get(names[i])));
  const tags = new Array<Value>();
  for (let i = 0; i < envelope.tags.length; i++) tags.push(Value.of(envelope.tags[i]));
  const all = Value.map()
    .set("id", Value.of(envelope.id))
    .set("actor", optional(envelope.actor))
    .set("occurred_at", envelope.hasOccurredAt ? Value.of(envelope.occurredAt) : Value.null())
    .set("causation_id", optional(envelope.causationId))
    .set("correlation_id", optional(envelope.correlationId))
    .set("metadata", metadata)
    .set("tags", Value.of(tags))
    .set("sequence", Value.of(event.sequence))
    .set("stream", Value.of(event.stream))
    .set("version", Value.of(event.version))
    .set("event_type", Value.of(event.type))
    .set("schema_version", Value.of(event.schemaVersion))
    .set("recorded_at", Value.of(event.recordedAt));
  state.put(`context/${event.sequence}`, all);
}

export function writeParameters(): void {
  state.put("parameters", Value.of(context.parameters()));
}
