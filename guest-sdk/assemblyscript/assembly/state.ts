/** The projection's state: entries, ordered by key. */

import { Reader } from "./cbor/reader";
import { Value } from "./cbor/value";
import { failed } from "./failure";
import { stateDelete, stateGet, stateGetMany, statePut, stateScan, stateWrite } from "./imports";
import { decodeTrusted, encode, Slice, storeText } from "./utf8";

/** Nothing, or bytes: an option of the ABI. */
@unmanaged
export class Found {
  private isSome: u8;
  pointer: usize;
  length: usize;

  get exists(): bool {
    return this.isSome != 0;
  }
}

/** A key and its value. */
export class Entry {
  constructor(
    public key: string,
    private pointer: usize,
    private length: usize,
  ) {}

  /** The value, which is CBOR. */
  get value(): Value {
    return readValue(this.key, this.pointer, this.length);
  }

  /** A copy of the value's bytes. */
  get bytes(): Uint8Array {
    return copy(this.pointer, this.length);
  }
}

/** A change to one key: a new value, or none to delete it. */
export class Change {
  constructor(
    public key: string,
    public bytes: Uint8Array | null,
  ) {}

  static put(key: string, value: Value): Change {
    return new Change(key, value.toBytes());
  }

  static delete(key: string): Change {
    return new Change(key, null);
  }
}

/** The bytes of a change in the ABI: key, whether there is a value, the value. */
const CHANGE_SIZE: usize = 20;
/** The bytes of an entry in the ABI: key and value. */
const ENTRY_SIZE: usize = 16;
/** The bytes of an optional value in the ABI. */
export const FOUND_SIZE: usize = 12;

/**
 * The projection's state. Reads see the writes of the same call. Keys are 1 to 1,024 bytes, values at most 1 MiB; what
 * breaks a limit traps. One `getMany` or `write` is cheaper than many a `get` or `put`.
 */
export class state {
  /** The value of a key, which is CBOR; null if there is no such entry. */
  static get(key: string): Value | null {
    const found = find(key);
    return found.exists ? readValue(key, found.pointer, found.length) : null;
  }

  static getBytes(key: string): Uint8Array | null {
    const found = find(key);
    return found.exists ? copy(found.pointer, found.length) : null;
  }

  /** The values of many keys, in their order, by one host call. */
  static getMany(keys: string[]): Array<Value | null> {
    const found = findMany(keys);
    const values = new Array<Value | null>(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const entry = changetype<Found>(found + <usize>i * FOUND_SIZE);
      values[i] = entry.exists ? readValue(keys[i], entry.pointer, entry.length) : null;
    }
    return values;
  }

  static getManyBytes(keys: string[]): Array<Uint8Array | null> {
    const found = findMany(keys);
    const values = new Array<Uint8Array | null>(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const entry = changetype<Found>(found + <usize>i * FOUND_SIZE);
      values[i] = entry.exists ? copy(entry.pointer, entry.length) : null;
    }
    return values;
  }

  static put(key: string, value: Value): void {
    state.putBytes(key, value.toBytes());
  }

  static putBytes(key: string, bytes: Uint8Array): void {
    if (failed()) return;
    const text = slice(key);
    statePut(text.pointer, text.length, bytes.dataStart, bytes.length);
  }

  /** Removes a key; nothing happens if there is no such entry. */
  static delete(key: string): void {
    if (failed()) return;
    const text = slice(key);
    stateDelete(text.pointer, text.length);
  }

  /** Makes many changes, in their order, by one host call. */
  static write(changes: Change[]): void {
    if (failed()) return;
    const list = heap.alloc(<usize>changes.length * CHANGE_SIZE);
    for (let i = 0; i < changes.length; i++) {
      const at = list + <usize>i * CHANGE_SIZE;
      const bytes = changes[i].bytes;
      storeText(at, changes[i].key);
      if (bytes === null) storeChange(at, false, 0, 0);
      else storeChange(at, true, bytes.dataStart, bytes.length);
    }
    stateWrite(list, changes.length);
  }

  /**
   * A page: up to `limit` entries (never more than 1,000) whose key starts with `prefix`, in key order, behind the key
   * `after` if it is given. Only an empty page means that there are no more; `entries` goes through all pages.
   */
  static scan(prefix: string, after: string | null, limit: u32): Entry[] {
    const answer = changetype<Slice>(heap.alloc(offsetof<Slice>()));
    const start = slice(prefix);
    if (after === null) {
      stateScan(start.pointer, start.length, 0, 0, 0, limit, changetype<usize>(answer));
    } else {
      const behind = slice(after);
      stateScan(start.pointer, start.length, 1, behind.pointer, behind.length, limit, changetype<usize>(answer));
    }
    const page = new Array<Entry>(<i32>answer.length);
    for (let i: usize = 0; i < answer.length; i++) {
      const key = changetype<Slice>(answer.pointer + i * ENTRY_SIZE);
      const value = changetype<Slice>(answer.pointer + i * ENTRY_SIZE + 8);
      page[<i32>i] = new Entry(decodeTrusted(key.pointer, key.length), value.pointer, value.length);
    }
    return page;
  }

  /** All entries whose key starts with `prefix`, in key order: `while (entries.next()) … entries.entry`. */
  static entries(prefix: string): Entries {
    return new Entries(prefix);
  }
}

/** Goes through entries, page by page. */
export class Entries {
  private page: Entry[] = [];
  private index: i32 = -1;
  private pageSize: u32 = 1000;

  constructor(private prefix: string) {}

  /** Goes to the next entry; false if there is none. */
  next(): bool {
    this.index++;
    if (this.index < this.page.length) return true;
    const last: string | null = this.page.length == 0 ? null : this.page[this.page.length - 1].key;
    this.page = state.scan(this.prefix, last, this.pageSize);
    this.index = 0;
    return this.page.length > 0;
  }

  /** The entry to which `next` went. */
  get entry(): Entry {
    return this.page[this.index];
  }
}

function slice(text: string): Slice {
  const written = changetype<Slice>(heap.alloc(offsetof<Slice>()));
  encode(text, written);
  return written;
}

function copy(pointer: usize, length: usize): Uint8Array {
  const bytes = new Uint8Array(<i32>length);
  memory.copy(bytes.dataStart, pointer, length);
  return bytes;
}

function readValue(key: string, pointer: usize, length: usize): Value {
  const reader = new Reader(pointer, pointer + length, null, key, "");
  const value = Value.read(reader);
  if (!failed() && !reader.isAtEnd()) reader.wrong("bytes behind the end of the value");
  return value;
}

function find(key: string): Found {
  const answer = changetype<Found>(heap.alloc(FOUND_SIZE));
  const text = slice(key);
  stateGet(text.pointer, text.length, changetype<usize>(answer));
  return answer;
}

/** Returns where the values of the keys lie, one `Found` behind the other. */
function findMany(keys: string[]): usize {
  const list = heap.alloc(<usize>keys.length << 3);
  for (let i = 0; i < keys.length; i++) storeText(list + (<usize>i << 3), keys[i]);
  return getManyAt(list, keys.length);
}

/** `get-many` of keys that lie in memory as a list of the ABI. */
export function getManyAt(list: usize, count: usize): usize {
  const answer = changetype<Slice>(heap.alloc(offsetof<Slice>()));
  stateGetMany(list, count, changetype<usize>(answer));
  return answer.pointer;
}

/** Writes the second half of a change: its value, or that there is none. */
function storeChange(at: usize, isPut: bool, pointer: usize, length: usize): void {
  store<u8>(at + 8, isPut);
  store<usize>(at + 12, pointer);
  store<usize>(at + 16, length);
}
