/** A payload's fields, to take out, put in and rename: what an upcaster mostly does. */

import { Reader } from "./cbor/reader";
import { Value } from "./cbor/value";
import { Writer } from "./cbor/writer";
import { Event } from "./event";
import { failed } from "./failure";
import { utf8Length } from "./utf8";

/** A name and the CBOR of its value, which lies in memory. */
class Field {
  constructor(
    public name: string,
    public pointer: usize,
    public length: usize,
  ) {}
}

/**
 * The fields of a payload that is a map with texts for keys.
 *
 * Those that nobody touches stay as they are, bit by bit, also those that the upcaster has never heard of.
 */
export class Payload {
  private fields: Field[] = [];

  constructor(private event: Event) {
    const reader = event.reader();
    for (let left = reader.map(); left > 0; left--) {
      const name = reader.text();
      const start = reader.position;
      reader.skip();
      this.fields.push(new Field(name, start, reader.position - start));
    }
    if (!failed() && !reader.isAtEnd()) reader.wrong("bytes behind the end of the value");
  }

  /** Whether there is such a field. */
  has(name: string): bool {
    return this.find(name) >= 0;
  }

  /** Takes a field out and returns a reader of its value: `payload.take("euros").float()`. It must be there. */
  take(name: string): Reader {
    const reader = this.takeIfPresent(name);
    if (reader !== null) return reader;
    this.event.fail(`missing field "${name}"`);
    return new Reader(0, 0, this.event, "", name);
  }

  /** Takes a field out and returns a reader of its value; null if it is absent or null. */
  takeIfPresent(name: string): Reader | null {
    const index = this.find(name);
    if (index < 0) return null;
    const field = this.fields[index];
    this.fields.splice(index, 1);
    const reader = new Reader(field.pointer, field.pointer + field.length, this.event, "", name);
    return reader.isAtNull() ? null : reader;
  }

  /** Sets a field to a value, or to anything of which `Value.of` makes one. */
  put<T>(name: string, value: T): void {
    const writer = new Writer();
    Value.of(value).write(writer);
    const field = new Field(name, writer.pointer, writer.length);
    const index = this.find(name);
    if (index >= 0) this.fields[index] = field;
    else this.fields.push(field);
  }

  /** Gives a field another name, if it is there, replacing what had that name. */
  rename(name: string, newName: string): void {
    const index = this.find(name);
    if (index < 0) return;
    const field = this.fields[index];
    this.fields.splice(index, 1);
    const replaced = this.find(newName);
    if (replaced >= 0) this.fields.splice(replaced, 1);
    this.fields.push(new Field(newName, field.pointer, field.length));
  }

  /** Writes the payload, its fields in canonical order. */
  write(to: Writer): void {
    const names = new Array<Name>(this.fields.length);
    for (let i = 0; i < names.length; i++) names[i] = new Name(this.fields[i]);
    names.sort((a, b) => a.compare(b));
    to.map(names.length);
    for (let i = 0; i < names.length; i++) {
      to.text(names[i].field.name);
      to.raw(names[i].field.pointer, names[i].field.length);
    }
  }

  private find(name: string): i32 {
    for (let i = 0; i < this.fields.length; i++) if (this.fields[i].name == name) return i;
    return -1;
  }
}

/** A field's place in the order: shorter names first, then by the order of their bytes. */
class Name {
  private length: i32;
  private bytes: ArrayBuffer;

  constructor(public field: Field) {
    this.length = utf8Length(field.name);
    this.bytes = String.UTF8.encode(field.name);
  }

  compare(other: Name): i32 {
    if (this.length != other.length) return this.length - other.length;
    return memory.compare(changetype<usize>(this.bytes), changetype<usize>(other.bytes), this.length);
  }
}
