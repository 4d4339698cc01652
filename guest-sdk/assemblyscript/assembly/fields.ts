/** The fields of a map, by name: what a payload and a value mostly are. */

import { Major } from "./cbor/kind";
import { Reader } from "./cbor/reader";
import { Value } from "./cbor/value";
import { Event } from "./event";
import { equals } from "./utf8";

/**
 * A map whose keys are texts, read without taking it apart: each field is looked for behind the one that was read
 * before, so asking in the order in which they stand is fastest. Fields that nobody asks for are passed over.
 *
 * A field that is missing or of another kind makes the call in hand fail, with a message that names it; the answer is then
 * 0, an empty text, null.
 */
export class Fields {
  private finder: Finder;

  /** Reads a map in memory. What follows is for messages: see `Reader`. */
  constructor(at: usize, end: usize, event: Event | null, key: string, path: string) {
    this.finder = new Finder(at, end, event, key, path);
    this.finder.open();
  }

  /** Reads another map in place of this one: for folds, which read two for every event. */
  reuse(at: usize, end: usize, event: Event | null, key: string): void {
    const finder = this.finder;
    finder.move(at, end, event, key);
    finder.open();
  }

  /** Whether there is such a field, and it is not null. */
  has(name: string): bool {
    return this.finder.find(name) && !this.finder.isAtNull();
  }

  text(name: string): string {
    return this.reader(name).text();
  }

  /** A text; null if the field is null or not there. */
  optionalText(name: string): string | null {
    return this.has(name) ? this.text(name) : null;
  }

  /** An integer from -2^63 to 2^63 - 1. */
  integer(name: string): i64 {
    return this.reader(name).integer();
  }

  /** An integer from 0 to 2^64 - 1. */
  unsigned(name: string): u64 {
    return this.reader(name).unsigned();
  }

  /** A float, or an integer as the nearest one. */
  float(name: string): f64 {
    return this.reader(name).float();
  }

  bool(name: string): bool {
    return this.reader(name).bool();
  }

  bytes(name: string): Uint8Array {
    return this.reader(name).bytes();
  }

  /** A value of any kind. */
  value(name: string): Value {
    return Value.read(this.reader(name));
  }

  /** The fields of a map in this map. */
  fields(name: string): Fields {
    this.reader(name);
    return this.finder.inside();
  }

  /** A reader at the field's value: for arrays, and maps whose keys are no names. It serves until the next field is read. */
  reader(name: string): Reader {
    const finder = this.finder;
    finder.field = name;
    if (!finder.find(name)) {
      finder.field = "";
      finder.wrong(`missing field "${name}"`);
    }
    return finder;
  }
}

/** A reader that can go to a field by its name. */
class Finder extends Reader {
  private first: usize = 0;
  private count: i32 = 0;
  /** How many fields stand behind the one found last. */
  private left: i32 = 0;
  /** Where the value of the field found last starts, and its name; 0 if none was found. It may have been read or not. */
  private found: usize = 0;
  private name: string = "";

  /** Enters the map, which must stand here. */
  open(): void {
    this.field = "";
    this.found = 0;
    this.count = this.map();
    this.left = this.count;
    this.first = this.at;
  }

  /** Goes to the value of a field, if there is one of that name. */
  find(name: string): bool {
    if (this.found != 0) {
      this.at = this.found;
      // Asked for again, as by `has` and then `text`.
      if (name === this.name) return true;
      this.found = 0;
      this.skip();
    }
    for (let tries = this.count; tries > 0; tries--) {
      if (this.left == 0) {
        this.left = this.count;
        this.at = this.first;
      }
      this.left--;
      if (this.isKey(name)) {
        this.found = this.at;
        this.name = name;
        return true;
      }
      this.skip();
    }
    return false;
  }

  /** The fields of the map that this stands at. */
  inside(): Fields {
    return new Fields(this.at, this.end, this.event, this.key, this.whole());
  }

  /** Reads a key, and says whether it is this one. */
  private isKey(name: string): bool {
    if (!this.head()) return false;
    if (this.initial >> 5 != Major.TEXT) {
      this.wrong("a key is not a text");
      return false;
    }
    const start = this.take();
    return start != 0 && equals(start, <usize>this.number, name);
  }
}
