/** A value of any kind: for what has no class of its own in a plugin. */

import { fail, failed } from "../failure";
import { DEPTH_MAX, Kind, kindName } from "./kind";
import { Reader } from "./reader";
import { Writer } from "./writer";

/**
 * Any CBOR value. Integers and floats stay apart, tags stay, and writing gives the canonical form, whatever the order of
 * a map's entries.
 *
 * Make one by `Value.of(1)`, `Value.of(1.0)`, `Value.of("text")`, `Value.of(true)`, `Value.of(bytes)`, `Value.of(items)`,
 * `Value.null()` and `Value.map().set("name", Value.of(1))`.
 */
export class Value {
  /** What it is. */
  kind: Kind = Kind.Null;
  /** An integer n that is not negative as n, a negative one as -1 - n; a float's bits; a tag's number; 1 for true. */
  bits: u64 = 0;
  /** Whether an integer is negative. */
  isNegative: bool = false;
  /** A text's. */
  text: string = "";
  /** A byte string's. */
  bytes: Uint8Array | null = null;
  /** An array's items; a map's keys and values in turn; what a tag belongs to. */
  items: Value[] = [];

  static null(): Value {
    return new Value();
  }

  /** Makes a value of a boolean, an integer, a float, a text, a `Uint8Array` or an array of values. */
  static of<T>(from: T): Value {
    if (isReference<T>() && from instanceof Value) return <Value>from;
    const value = new Value();
    if (isBoolean<T>()) {
      value.kind = Kind.Bool;
      value.bits = <u64>from;
    } else if (isFloat<T>()) {
      value.kind = Kind.Float;
      value.bits = reinterpret<u64>(<f64>from);
    } else if (isInteger<T>()) {
      value.kind = Kind.Integer;
      value.isNegative = isSigned<T>() && from < 0;
      value.bits = value.isNegative ? ~(<u64>from) : <u64>from;
    } else if (isString<T>()) {
      value.kind = Kind.Text;
      value.text = <string>from;
    } else if (from instanceof Uint8Array) {
      value.kind = Kind.Bytes;
      value.bytes = <Uint8Array>from;
    } else if (isArray<T>()) {
      value.kind = Kind.Array;
      value.items = <Value[]>from;
    } else {
      ERROR("a value is made of a boolean, an integer, a float, a text, a Uint8Array or a Value[]");
    }
    return value;
  }

  static map(): Value {
    const value = new Value();
    value.kind = Kind.Map;
    return value;
  }

  /** The integer -1 - `number`, for those below -2^63. */
  static negative(number: u64): Value {
    const value = new Value();
    value.kind = Kind.Integer;
    value.isNegative = true;
    value.bits = number;
    return value;
  }

  static tagged(tag: u64, content: Value): Value {
    const value = new Value();
    value.kind = Kind.Tag;
    value.bits = tag;
    value.items = [content];
    return value;
  }

  /** Reads one value; what is malformed makes the call in hand fail. */
  static read(reader: Reader): Value {
    return readValue(reader, DEPTH_MAX);
  }

  /** The value of a map's field; null if it is not there or this is no map. */
  get(name: string): Value | null {
    const at = this.position(name);
    return at < 0 ? null : this.items[at + 1];
  }

  /** Sets a map's field. */
  set(name: string, value: Value): Value {
    const at = this.position(name);
    if (at >= 0) {
      this.items[at + 1] = value;
    } else {
      this.items.push(Value.of(name));
      this.items.push(value);
    }
    return this;
  }

  get isNull(): bool {
    return this.kind == Kind.Null;
  }

  /** The boolean that this is; what is none makes the call in hand fail, as in the methods that follow. */
  asBool(): bool {
    return this.is(Kind.Bool) && this.bits != 0;
  }

  asInteger(): i64 {
    if (!this.is(Kind.Integer)) return 0;
    if (<i64>this.bits < 0) {
      fail("the integer does not fit 64 bits with a sign");
      return 0;
    }
    return this.isNegative ? ~(<i64>this.bits) : <i64>this.bits;
  }

  /** A float, or an integer as the nearest one. */
  asFloat(): f64 {
    if (this.kind == Kind.Integer) return this.isNegative ? -1.0 - <f64>this.bits : <f64>this.bits;
    return this.is(Kind.Float) ? reinterpret<f64>(this.bits) : 0;
  }

  asText(): string {
    return this.is(Kind.Text) ? this.text : "";
  }

  asBytes(): Uint8Array {
    const bytes = this.bytes;
    return this.is(Kind.Bytes) && bytes !== null ? bytes : new Uint8Array(0);
  }

  asArray(): Value[] {
    return this.is(Kind.Array) ? this.items : [];
  }

  write(to: Writer): void {
    switch (this.kind) {
      case Kind.Null: to.null(); break;
      case Kind.Bool: to.bool(this.bits != 0); break;
      case Kind.Integer: {
        if (this.isNegative) to.negative(this.bits);
        else to.unsigned(this.bits);
        break;
      }
      case Kind.Float: to.float(reinterpret<f64>(this.bits)); break;
      case Kind.Bytes: to.bytes(this.asBytes()); break;
      case Kind.Text: to.text(this.text); break;
      case Kind.Array: {
        to.array(this.items.length);
        for (let i = 0; i < this.items.length; i++) this.items[i].write(to);
        break;
      }
      case Kind.Map: writeMap(this.items, to); break;
      case Kind.Tag: {
        to.tag(this.bits);
        this.items[0].write(to);
        break;
      }
    }
  }

  /** This value as canonical CBOR. */
  toBytes(): Uint8Array {
    const writer = new Writer();
    this.write(writer);
    return writer.toBytes();
  }

  private is(kind: Kind): bool {
    if (this.kind == kind) return true;
    fail(`expected ${kindName(kind)}, found ${kindName(this.kind)}`);
    return false;
  }

  private position(name: string): i32 {
    if (this.kind != Kind.Map) return -1;
    for (let i = 0; i < this.items.length; i += 2) {
      const key = this.items[i];
      if (key.kind == Kind.Text && key.text == name) return i;
    }
    return -1;
  }
}

/** Reads one value, `depth` levels of which may follow. */
function readValue(reader: Reader, depth: i32): Value {
  const kind = reader.kind();
  if (failed()) return Value.null();
  if (kind >= Kind.Array && depth == 0) {
    reader.wrong(`nested more than ${DEPTH_MAX} levels deep`);
    return Value.null();
  }
  switch (kind) {
    case Kind.Null: {
      if (!reader.passNull()) reader.wrong("only false, true and null are supported of simple values");
      return Value.null();
    }
    case Kind.Bool: return Value.of(reader.bool());
    case Kind.Integer: {
      const number = reader.magnitude();
      return reader.isNegative ? Value.negative(number) : Value.of(number);
    }
    case Kind.Float: return Value.of(reader.float());
    case Kind.Bytes: return Value.of(reader.bytes());
    case Kind.Text: return Value.of(reader.text());
    case Kind.Array: {
      const items = new Array<Value>();
      for (let left = reader.array(); left > 0 && !failed(); left--) items.push(readValue(reader, depth - 1));
      return Value.of(items);
    }
    case Kind.Map: {
      const map = Value.map();
      for (let left = reader.map(); left > 0 && !failed(); left--) {
        map.items.push(readValue(reader, depth - 1));
        map.items.push(readValue(reader, depth - 1));
      }
      return map;
    }
    default: {
      const tag = reader.tag();
      return Value.tagged(tag, readValue(reader, depth - 1));
    }
  }
}

/** A map's entry as it is written: from its key to its end, and how long the key is. */
class Entry {
  constructor(public start: usize, public keyLength: usize, public length: usize) {}
}

function compare(a: Entry, b: Entry): i32 {
  const order = memory.compare(a.start, b.start, min(a.keyLength, b.keyLength));
  return order != 0 ? order : <i32>a.keyLength - <i32>b.keyLength;
}

function writeMap(items: Value[], to: Writer): void {
  const body = new Writer();
  const entries = new Array<Entry>();
  for (let i = 0; i < items.length; i += 2) {
    const start = body.length;
    items[i].write(body);
    const keyEnd = body.length;
    items[i + 1].write(body);
    entries.push(new Entry(start, keyEnd - start, body.length - start));
  }
  // It stays where it is now.
  for (let i = 0; i < entries.length; i++) entries[i].start += body.pointer;
  entries.sort(compare);
  to.map(entries.length);
  for (let i = 0; i < entries.length; i++) {
    if (i > 0 && compare(entries[i - 1], entries[i]) == 0) fail("a map has the same key twice");
    to.raw(entries[i].start, entries[i].length);
  }
}
