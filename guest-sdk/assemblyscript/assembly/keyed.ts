/** Keyed fold: an event names keys, and is folded into the value of each. */

import { Writer } from "./cbor/writer";
import { Event } from "./event";
import { failed } from "./failure";
import { Fields } from "./fields";
import { stateWrite } from "./imports";
import { Table } from "./keyed/table";
import { Projection } from "./projection";
import { Found, FOUND_SIZE, getManyAt } from "./state";
import { encodeTo } from "./utf8";

/** A map without fields, in CBOR. */
const EMPTY_MAP = memory.data<u8>([0xa0]);

/** What is read from an event's payload. */
export abstract class Readable {
  /**
   * Takes what it needs from the fields, best in the order in which they stand: shorter names first. They serve for this
   * call alone.
   */
  abstract read(fields: Fields): void;
}

/** What is kept for a key. A new one, as its class makes it, is what a key's first event is folded into. */
export abstract class Stored extends Readable {
  /** Writes what `read` takes: a map of names and values. */
  abstract write(to: Writer): void;
}

/** A payload that nobody reads: for folds to which the event alone says enough. */
export class Ignored extends Readable {
  read(_fields: Fields): void {}
}

/** The keys of one event. */
export class Keys {
  constructor(
    private table: Table,
    private places: StaticArray<u32>,
    private length: i32 = 0,
  ) {}

  /** Adds a key. */
  add(key: string): void {
    if (this.length == this.places.length) {
      const more = new StaticArray<u32>(max(this.length << 1, 16));
      memory.copy(changetype<usize>(more), changetype<usize>(this.places), <usize>this.length << 2);
      this.places = more;
    }
    unchecked((this.places[this.length++] = this.table.place(key)));
  }

  /** How many keys there are of all events so far. */
  get count(): i32 {
    return this.length;
  }

  /** The place in the table of a key. */
  place(index: i32): u32 {
    return unchecked(this.places[index]);
  }
}

/**
 * A projection whose events each belong to some keys and are folded into the values of these.
 *
 * A batch is folded in memory: one host call reads the values of all its keys, one writes those that changed. The result
 * does not depend on where batches are cut, as long as a value that is written and read again is the same value.
 */
export abstract class KeyedFold<P extends Readable, V extends Stored> extends Projection {
  /** One object for all payloads and values: what a call allocates is not given back. */
  private fields: Fields = new Fields(EMPTY_MAP, EMPTY_MAP + 1, null, "", "");

  /** Names the keys that the event belongs to: none, one or more. */
  abstract keys(event: Event, payload: P, keys: Keys): void;

  /** Folds the event into the value of one of its keys. */
  abstract fold(value: V, event: Event, payload: P, key: string): void;

  /** Reads an event's payload. */
  payload(event: Event): P {
    const payload = instantiate<P>();
    event.fieldsIn(this.fields);
    payload.read(this.fields);
    return payload;
  }

  /** Says whether a value is worth an entry; where it is not, the key has none, and starts afresh. */
  keep(_value: V): bool {
    return true;
  }

  apply(events: Event[]): void {
    const count = events.length;
    const table = new Table();
    const keys = new Keys(table, new StaticArray<u32>(count));
    const payloads = new StaticArray<P>(count);
    // Where each event's keys end.
    const ends = new StaticArray<i32>(count);
    for (let i = 0; i < count; i++) {
      const event = unchecked(events[i]);
      const payload = this.payload(event);
      if (failed()) return;
      this.keys(event, payload, keys);
      if (failed()) return;
      unchecked((payloads[i] = payload));
      unchecked((ends[i] = keys.count));
    }
    if (table.count == 0) return;

    const list = encodeKeys(table);
    const found = getManyAt(list, table.count);
    const values = new StaticArray<V>(table.count);
    const fields = this.fields;
    for (let place = 0; place < values.length; place++) {
      const value = instantiate<V>();
      const entry = changetype<Found>(found + <usize>place * FOUND_SIZE);
      if (entry.exists) {
        fields.reuse(entry.pointer, entry.pointer + entry.length, null, table.key(place));
        value.read(fields);
        if (failed()) return;
      }
      unchecked((values[place] = value));
    }

    let at = 0;
    for (let i = 0; i < count; i++) {
      const event = unchecked(events[i]);
      const payload = unchecked(payloads[i]);
      for (const end = unchecked(ends[i]); at < end; at++) {
        const place = keys.place(at);
        const value = unchecked(values[place]);
        this.fold(value, event, payload, table.key(place));
        // If the batch ended here the entry would be deleted, so what follows must start afresh, too.
        if (!this.keep(value)) unchecked((values[place] = instantiate<V>()));
      }
      if (failed()) return;
    }
    this.write(list, found, values);
  }

  /** Writes what differs from the state, by one host call. */
  private write(keys: usize, found: usize, values: StaticArray<V>): void {
    const changes = heap.alloc(<usize>values.length * CHANGE_SIZE);
    const writer = new Writer();
    let count = 0;
    for (let place = 0; place < values.length; place++) {
      const value = unchecked(values[place]);
      const entry = changetype<Found>(found + <usize>place * FOUND_SIZE);
      const isKept = this.keep(value);
      const start = writer.length;
      if (isKept) {
        value.write(writer);
        const length = <usize>(writer.length - start);
        if (entry.exists && length == entry.length && memory.compare(writer.pointer + start, entry.pointer, length) == 0) {
          writer.truncate(start);
          continue;
        }
      } else if (!entry.exists) {
        continue;
      }
      const change = changes + <usize>count * CHANGE_SIZE;
      count++;
      store<u64>(change, load<u64>(keys + (<usize>place << 3)));
      store<u8>(change + 8, isKept);
      // The writer may still move: its place in it, for now.
      store<usize>(change + 12, start);
      store<usize>(change + 16, writer.length - start);
    }
    if (failed() || count == 0) return;
    for (let i = 0; i < count; i++) {
      const change = changes + <usize>i * CHANGE_SIZE;
      store<usize>(change + 12, load<usize>(change + 12) + writer.pointer);
    }
    stateWrite(changes, count);
  }
}

/** The bytes of a change in the ABI: key, whether there is a value, the value. */
const CHANGE_SIZE: usize = 20;

/** Writes the table's keys as a list of the ABI. */
function encodeKeys(table: Table): usize {
  const list = heap.alloc(<usize>table.count << 3);
  let at = heap.alloc(table.units * 3);
  for (let place = 0; place < table.count; place++) {
    const end = encodeTo(table.key(place), at);
    store<usize>(list + (<usize>place << 3), at);
    store<usize>(list + (<usize>place << 3) + 4, end - at);
    at = end;
  }
  return list;
}
