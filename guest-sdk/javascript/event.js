// Events as plugins see them: the host's record, its payload decoded.

import { decodeCbor } from "./cbor.js";
import { Refusal } from "./errors.js";
import { parseJson } from "./json.js";

/** An event whose payload is decoded when it is first asked for. */
export class Event {
  #wire;
  #payload;

  constructor(record) {
    this.sequence = record.sequence;
    this.stream = record.stream;
    this.version = record.version;
    this.eventType = record.eventType;
    this.schemaVersion = record.schemaVersion;
    this.recordedAt = record.recordedAt;
    this.#wire = record.payload;
  }

  get payload() {
    if (this.#wire !== undefined) {
      this.#payload = decodePayload(this, this.#wire);
      this.#wire = undefined;
    }
    return this.#payload;
  }
}

/** Reads a payload as it comes from the host, `{ tag, val }`. */
export function decodePayload(event, wire) {
  try {
    return wire.tag === "json" ? parseJson(wire.val) : decodeCbor(wire.val);
  } catch (error) {
    throw new Refusal(about(event, `cannot read the payload: ${error.message}`));
  }
}

/** Refuses an event of another schema version, telling the way out, for example which upcaster to install. */
export function expectSchemaVersion(event, version, wayOut) {
  if (event.schemaVersion !== version) {
    throw new Refusal(about(event, `expected schema version ${version}: ${wayOut}`));
  }
}

function about(event, message) {
  return `${event.eventType}, schema version ${event.schemaVersion}: ${message}`;
}
