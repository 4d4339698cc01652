// Runs a compiled plugin in Node.js, in place of a host: for `node --test`.

import { readFileSync } from "node:fs";
import { decode, encode } from "./cbor.mjs";
import { byKey, imports } from "./imports.mjs";
import { Memory } from "./memory.mjs";

export { decode, encode, Float, Tagged } from "./cbor.mjs";

const PROJECTION = "polyfold:plugin/projection@0.1.0";
const UPCASTER = "polyfold:plugin/upcaster@0.1.0";

/** The most events that a host passes in one call. */
const EVENTS_PER_CALL_MAX = 8192;

/**
 * Makes an event of schema version 1 in the stream `test/1`. The harness gives it the next sequence and version.
 *
 * The payload is written as CBOR: a whole number as an integer, `new Float(1)` as a float.
 */
export function event(type, payload, { stream = "test/1", schemaVersion = 1, recordedAt = 0, sequence, version } = {}) {
  return { type, payload: encode(payload), stream, schemaVersion, recordedAt, sequence, version };
}

/** A plugin with a state of its own. Each call gets an instance of its own, as a host's does. */
export class Harness {
  #module;
  #envelopes = new Map();
  #versions = new Map();
  #head = 0;
  #parameters;
  #batchSize;
  #state = new Map();

  /** What the plugin has logged, failed calls included: `{ level, message }`. */
  logs = [];

  /** Loads a compiled plugin. Batches are cut at `batchSize` events; a state must not depend on it. */
  constructor(file, { parameters = {}, batchSize = EVENTS_PER_CALL_MAX } = {}) {
    this.#module = new WebAssembly.Module(readFileSync(file));
    this.#parameters = parameters;
    this.#batchSize = Math.min(Math.max(batchSize, 1), EVENTS_PER_CALL_MAX);
  }

  /** What the plugin says of itself. */
  describe() {
    const { memory, exports } = this.#instantiate(this.#state);
    const isProjection = `${PROJECTION}#describe` in exports;
    const at = this.#enter(() => exports[`${isProjection ? PROJECTION : UPCASTER}#describe`]());
    const [name, version, description] = [0, 8, 16].map((offset) => memory.text(at + offset));
    const text = (place) => memory.text(place);
    if (!isProjection) {
      const step = (place) => ({
        eventType: text(place),
        schemaVersion: memory.u32(place + 8),
        newEventType: memory.u8(place + 12) ? text(place + 16) : null,
      });
      return { name, version, description, steps: memory.list(at + 24, 24, step) };
    }
    const view = (place) => ({ name: text(place), prefix: text(place + 8), description: text(place + 16) });
    return {
      name,
      version,
      description,
      eventTypes: memory.list(at + 24, 8, text),
      categories: memory.list(at + 32, 8, text),
      payloadEncoding: ["cbor", "json"][memory.u8(at + 40)],
      stateEncoding: ["cbor", "json", "text", "bytes"][memory.u8(at + 41)],
      views: memory.list(at + 44, 24, view),
    };
  }

  /** Sets the rest of an event: `{ id, occurredAt, actor, causationId, correlationId, metadata, tags }`. */
  setEnvelope(sequence, envelope) {
    this.#envelopes.set(sequence, envelope);
  }

  /** Applies the events that the manifest asks for, in batches. A batch that fails changes nothing, and throws. */
  apply(events) {
    const { eventTypes, categories } = this.describe();
    const wants = (list, name) => list.length === 0 || list.includes(name);
    const wanted = events
      .map((one) => this.#place(one))
      .filter((one) => wants(eventTypes, one.type) && wants(categories, one.stream.split("/")[0]));
    for (let from = 0; from < wanted.length; from += this.#batchSize) {
      const state = new Map(this.#state);
      this.#call(`${PROJECTION}#apply`, wanted.slice(from, from + this.#batchSize), state);
      this.#state = state;
    }
  }

  /** Lifts an event through every step that the upcaster has for it, as a host does. Returns it with the new payload. */
  upcast(old) {
    const { steps } = this.describe();
    let lifted = this.#place(old);
    while (true) {
      const step = steps.find((one) => one.eventType === lifted.type && one.schemaVersion === lifted.schemaVersion);
      if (step === undefined) return { ...lifted, value: decode(lifted.payload) };
      const { memory, answer } = this.#call(`${UPCASTER}#upcast`, [lifted], this.#state);
      const [payload] = memory.list(answer + 4, 12, (at) => memory.bytes(at + 4));
      lifted = { ...lifted, payload, type: step.newEventType ?? lifted.type, schemaVersion: lifted.schemaVersion + 1 };
    }
  }

  /** An entry's value, read from CBOR; undefined if there is none. */
  get(key) {
    const bytes = this.#state.get(key);
    return bytes === undefined ? undefined : decode(bytes);
  }

  /** The whole state as it is stored, in order of its keys: a Map of keys to bytes. */
  get entries() {
    return new Map([...this.#state].sort(byKey));
  }

  /** All entries whose key starts with `prefix`, in order: pairs of a key and its value, read from CBOR. */
  scan(prefix) {
    return [...this.entries].filter(([key]) => key.startsWith(prefix)).map(([key, bytes]) => [key, decode(bytes)]);
  }

  /** Gives an event the place in log and stream that it does not have yet. */
  #place(one) {
    const version = one.version ?? (this.#versions.get(one.stream) ?? 0) + 1;
    this.#versions.set(one.stream, version);
    this.#head = one.sequence ?? this.#head + 1;
    return { ...one, version, sequence: this.#head };
  }

  #instantiate(state) {
    let memory;
    const given = { state, envelopes: this.#envelopes, parameters: this.#parameters, logs: this.logs };
    const { exports } = new WebAssembly.Instance(this.#module, imports(() => memory, given));
    memory = new Memory(exports);
    return { memory, exports };
  }

  #call(name, events, state) {
    const { memory, exports } = this.#instantiate(state);
    const list = memory.allocate(events.length * 64);
    events.forEach((one, index) => lower(memory, list + index * 64, one));
    const answer = this.#enter(() => exports[name](list, events.length)) >>> 0;
    if (memory.u8(answer) !== 0) throw new Error(memory.text(answer + 4));
    return { memory, answer };
  }

  /** Calls into the plugin; a trap becomes an error with the reason that the plugin has logged. */
  #enter(call) {
    const logged = this.logs.length;
    try {
      return call();
    } catch (error) {
      const reasons = this.logs.slice(logged).filter(({ level }) => level === "error");
      throw new Error(["trap", ...reasons.map(({ message }) => message)].join(": "), { cause: error });
    }
  }
}

/** Writes an event as the ABI has it. */
function lower(memory, at, one) {
  memory.setU64(at, one.sequence);
  memory.setText(at + 8, one.stream);
  memory.setU64(at + 16, one.version);
  memory.setText(at + 24, one.type);
  memory.setU32(at + 32, one.schemaVersion);
  memory.setU64(at + 40, one.recordedAt);
  memory.setU8(at + 48, typeof one.payload === "string" ? 1 : 0);
  if (typeof one.payload === "string") memory.setText(at + 52, one.payload);
  else memory.setBytes(at + 52, one.payload);
}
