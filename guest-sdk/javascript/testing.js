// Runs a plugin natively, without a component: the state is a map in memory, and tests look into it.

import { encodeCbor, decodeCbor } from "./cbor.js";
import { forbidClockAndChance } from "./determinism.js";
import { connect } from "./host.js";
import { MemoryState } from "./testing/memory.js";
import { parseJson } from "./json.js";
import { hostJson } from "./testing/host-json.js";
import { FORMS, readValue } from "./values.js";

// The most events that a host passes in one call.
const EVENTS_A_CALL_MAX = 8192;
const EVENT_FIELDS = ["sequence", "stream", "version", "eventType", "schemaVersion", "recordedAt"];

/**
 * Makes an event. It is of schema version 1 and in the stream `test/1` unless `fields` says otherwise, and the harness
 * gives it the next sequence and version. Fields of the envelope (id, actor, tags, ...) can stand there, too.
 */
export function event(eventType, payload, fields = {}) {
  return { stream: "test/1", schemaVersion: 1, recordedAt: 0, ...fields, eventType, payload };
}

/** Reads events as `polyfold import` and `export` have them: a JSON object a line. */
export function events(lines) {
  return lines.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const { type, data = null, stream, schema_version: schemaVersion = 1, ...rest } = parseJson(line);
    const envelope = { id: rest.id, actor: rest.actor, tags: rest.tags, metadata: rest.metadata };
    const fields = { ...envelope, causationId: rest.causation_id, correlationId: rest.correlation_id };
    return event(type, data, { ...fields, stream, schemaVersion });
  });
}

/** A plugin with a state of its own, in place of a host. */
export class Harness {
  /** What the plugin has logged, `{ level, message }`, failed calls included. */
  logs = [];
  #plugin;
  #batchSize;
  #parameters;
  #state = new MemoryState();
  #envelopes = new Map();
  /** How many events each stream has had. */
  #versions = new Map();
  #head = 0;

  /** Cuts batches at `batchSize` events. A state must not depend on it: compare two harnesses. */
  constructor(plugin, { parameters = {}, batchSize = EVENTS_A_CALL_MAX } = {}) {
    this.#plugin = plugin;
    this.#parameters = JSON.stringify(parameters);
    this.#batchSize = Math.min(Math.max(batchSize, 1), EVENTS_A_CALL_MAX);
  }

  /** What the plugin says of itself. */
  get manifest() {
    return this.#plugin.manifest;
  }

  /** Applies the events that the manifest asks for, in batches. A batch that fails changes nothing, and ends it. */
  apply(events) {
    const { eventTypes, categories } = this.manifest;
    const wants = (list, name) => list.length === 0 || list.includes(name);
    const wanted = Array.from(events, (event) => this.#place(event)).filter((event) =>
      wants(eventTypes, event.eventType) && wants(categories, event.stream.split("/", 1)[0]));
    for (let at = 0; at < wanted.length; at += this.#batchSize) {
      const batch = wanted.slice(at, at + this.#batchSize);
      this.#call(batch, (records) => this.#plugin.apply(records));
    }
  }

  /** Lifts an event through every step that the upcaster has for it, as a host does. */
  upcast(event) {
    let lifted = this.#place(event);
    const next = (step) => step.eventType === lifted.eventType && step.schemaVersion === lifted.schemaVersion;
    for (let step; (step = this.manifest.steps.find(next)); ) {
      const [answer] = this.#call([lifted], (records) => this.#plugin.upcast(records));
      const payload = answer.tag === "json" ? parseJson(answer.val) : decodeCbor(answer.val);
      const eventType = step.newEventType ?? lifted.eventType;
      lifted = { ...lifted, eventType, schemaVersion: lifted.schemaVersion + 1, payload };
    }
    return lifted;
  }

  /** An entry's value, or undefined. */
  get(key) {
    const stored = this.#state.get(key);
    return stored === undefined ? undefined : readValue(this.#form, key, stored);
  }

  /** The entries whose key starts with a prefix, as pairs in key order. */
  scan(prefix = "") {
    return this.#state.pairs(prefix).map(([key, stored]) => [key, readValue(this.#form, key, stored)]);
  }

  /** The whole state as it is stored: pairs of key and bytes. */
  entries() {
    return this.#state.pairs("");
  }

  get #form() {
    return FORMS[this.manifest.stateEncoding];
  }

  /** Gives an event the place in log and stream that it does not have yet. */
  #place(event) {
    const version = event.version ?? (this.#versions.get(event.stream) ?? 0) + 1;
    this.#versions.set(event.stream, version);
    this.#head = event.sequence ?? this.#head + 1;
    const placed = { ...event, version, sequence: this.#head };
    this.#envelopes.set(placed.sequence, envelopeOf(placed));
    return placed;
  }

  #call(batch, call) {
    const { stateEncoding } = this.manifest;
    const inCall = new Map(batch.map(({ sequence }) => [sequence, this.#envelopes.get(sequence)]));
    const context = { envelopeOf: (sequence) => inCall.get(sequence), parameters: () => this.#parameters };
    const logging = { log: (level, message) => this.logs.push({ level, message }) };
    const of = { projection: { state: this.#state, context, logging, stateEncoding }, upcaster: { logging } };
    const records = batch.map((event) => this.#record(event));
    const before = connect(of[this.#plugin.kind]);
    const allowClockAndChance = forbidClockAndChance();
    try {
      const result = call(records);
      this.#state.commit();
      return result;
    } catch (error) {
      this.#state.rollBack();
      throw error;
    } finally {
      allowClockAndChance();
      connect(before);
    }
  }

  /** The event as it goes through the component's interface. */
  #record(event) {
    const record = Object.fromEntries(EVENT_FIELDS.map((field) => [field, event[field]]));
    const asJson = this.manifest.payloadEncoding === "json";
    record.payload = asJson ? { tag: "json", val: hostJson(event.payload) } : { tag: "cbor", val: encodeCbor(event.payload) };
    return record;
  }
}

function envelopeOf(event) {
  const { id = `test-${event.sequence}`, occurredAt, actor, causationId, correlationId, metadata = {}, tags = [] } = event;
  const pairs = metadata instanceof Map ? [...metadata] : Object.entries(metadata);
  return { id, occurredAt, actor, causationId, correlationId, metadata: pairs.sort(([a], [b]) => (a < b ? -1 : 1)), tags };
}
