/** Events as the host hands them over. */

import { Reader } from "./cbor/reader";
import { Value } from "./cbor/value";
import { fail } from "./failure";
import { Fields } from "./fields";
import { decodeTrusted } from "./utf8";

/**
 * An immutable fact. This is the host's record itself, in memory: a text is made of its bytes each time it is asked for.
 *
 * The rest of the envelope (id, actor, causes, metadata, tags) comes from `context.envelope(event.sequence)`.
 */
@unmanaged
export class Event {
  /** The event's position in the log: 1, 2, 3 … */
  sequence: u64;
  private streamPointer: usize;
  private streamLength: usize;
  /** The event's position in its stream: 1, 2, 3 … */
  version: u64;
  private typePointer: usize;
  private typeLength: usize;
  /** The version of the payload's shape, from 1. */
  schemaVersion: u32;
  /** When the log took the event, in microseconds since 1970. */
  recordedAt: u64;
  private encoding: u8;
  private payloadPointer: usize;
  private payloadLength: usize;

  /** The stream the event belongs to, `category/name`. */
  get stream(): string {
    return decodeTrusted(this.streamPointer, this.streamLength);
  }

  /** What happened, for example `order.placed`. */
  get type(): string {
    return decodeTrusted(this.typePointer, this.typeLength);
  }

  /** The part of the stream's name before the first `/`. */
  get category(): string {
    const stream = this.stream;
    return stream.substring(0, stream.indexOf("/"));
  }

  /** The payload's fields: what is read of a payload that is a map with names for keys. */
  fields(): Fields {
    const at = this.payloadPointer;
    return new Fields(at, at + this.payloadLength, this, "", "");
  }

  /** As `fields`, in an object that is there already. */
  fieldsIn(fields: Fields): void {
    const at = this.payloadPointer;
    fields.reuse(at, at + this.payloadLength, this, "");
  }

  /** A reader of the payload: for what `fields` does not fit. */
  reader(): Reader {
    const at = this.payloadPointer;
    return new Reader(at, at + this.payloadLength, this, "", "");
  }

  /** The payload as a value of any kind. */
  value(): Value {
    return Value.read(this.reader());
  }

  /** The payload's text, if the manifest asks for JSON. */
  json(): string {
    return decodeTrusted(this.payloadPointer, this.payloadLength);
  }

  /** Refuses an event of another schema version, telling `wayOut`, for example which upcaster to install. */
  expectSchemaVersion(version: u32, wayOut: string): bool {
    if (this.schemaVersion == version) return true;
    this.fail(`expected schema version ${version}: ${wayOut}`);
    return false;
  }

  /** Refuses this event: its type and schema version, then `message`. */
  fail(message: string): void {
    fail(`${this.type}, schema version ${this.schemaVersion}: ${message}`);
  }
}
