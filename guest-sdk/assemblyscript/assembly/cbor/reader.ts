/** Reads CBOR, item by item. */

import { Event } from "../event";
import { fail } from "../failure";
import { decode } from "../utf8";
import { Kind, kindName, Major } from "./kind";
import { fromHalf } from "./float";

/**
 * A place in CBOR: each call reads one item and goes on behind it.
 *
 * What is not there, or of another kind, makes the call in hand fail, with a message that says where it is; the answer is
 * then 0, an empty text, null.
 */
export class Reader {
  /** The number of the head that was read last. For floats these are the bits. */
  protected number: u64 = 0;
  /** The first byte of the head that was read last. */
  protected initial: u8 = 0;
  /** The field that is being read, for messages. */
  field: string = "";

  constructor(
    protected at: usize,
    protected end: usize,
    /** The event whose payload this is, for messages; null if it is none. */
    public event: Event | null,
    /** The state's key whose value this is; may be empty. */
    public key: string,
    /** Where the reader stands in it, for messages: `legs[3].origin`; may be empty. */
    public path: string,
  ) {}

  /** Reads from another place. */
  move(at: usize, end: usize, event: Event | null, key: string): void {
    this.at = at;
    this.end = end;
    this.event = event;
    this.key = key;
  }

  /** The kind of the next item. */
  kind(): Kind {
    if (this.at >= this.end) {
      this.wrong("the value ends too early");
      return Kind.Null;
    }
    return kindOf(load<u8>(this.at));
  }

  /** Where in memory it stands. */
  get position(): usize {
    return this.at;
  }

  /** Whether nothing is left. */
  isAtEnd(): bool {
    return this.at >= this.end;
  }

  /** Passes a null, if the next item is one. */
  passNull(): bool {
    const found = this.isAtNull();
    if (found) this.at++;
    return found;
  }

  bool(): bool {
    if (!this.head()) return false;
    if (this.initial != 0xf4 && this.initial != 0xf5) return this.isNot<bool>("a boolean");
    return this.initial == 0xf5;
  }

  /** An integer from -2^63 to 2^63 - 1. */
  integer(): i64 {
    if (!this.untagged()) return 0;
    const major = this.initial >> 5;
    if (major > Major.NEGATIVE) return this.isNot<i64>("an integer");
    if (<i64>this.number < 0) {
      this.wrong("the integer does not fit 64 bits with a sign");
      return 0;
    }
    return major == Major.UNSIGNED ? <i64>this.number : ~(<i64>this.number);
  }

  /** An integer from -2^64 to 2^64 - 1, of which this is n, or -1 - n where `isNegative` says so. */
  magnitude(): u64 {
    if (!this.untagged()) return 0;
    return this.initial >> 5 <= Major.NEGATIVE ? this.number : this.isNot<u64>("an integer");
  }

  /** An integer from 0 to 2^64 - 1. */
  unsigned(): u64 {
    if (!this.untagged()) return 0;
    if (this.initial >> 5 != Major.UNSIGNED) return this.isNot<u64>("an integer that is not negative");
    return this.number;
  }

  /** Whether the integer that was read last is negative. */
  get isNegative(): bool {
    return this.initial >> 5 == Major.NEGATIVE;
  }

  /** A float, or an integer as the nearest one: a payload born as JSON has `10` and `10.5` in different types. */
  float(): f64 {
    if (!this.untagged()) return 0;
    switch (this.initial) {
      case 0xf9: return fromHalf(<u32>this.number);
      case 0xfa: return <f64>reinterpret<f32>(<u32>this.number);
      case 0xfb: return reinterpret<f64>(this.number);
    }
    switch (this.initial >> 5) {
      case Major.UNSIGNED: return <f64>this.number;
      case Major.NEGATIVE: return -1.0 - <f64>this.number;
      default: return this.isNot<f64>("a number");
    }
  }

  text(): string {
    if (!this.untagged()) return "";
    if (this.initial >> 5 != Major.TEXT) {
      this.isNot<bool>("a text");
      return "";
    }
    const start = this.take();
    if (start == 0) return "";
    const text = decode(start, <usize>this.number);
    if (text === null) {
      this.wrong("the text is not UTF-8");
      return "";
    }
    return text;
  }

  /** A copy of a byte string. */
  bytes(): Uint8Array {
    if (!this.untagged()) return new Uint8Array(0);
    if (this.initial >> 5 != Major.BYTES) {
      this.isNot<bool>("bytes");
      return new Uint8Array(0);
    }
    const start = this.take();
    if (start == 0) return new Uint8Array(0);
    const bytes = new Uint8Array(<i32>this.number);
    memory.copy(bytes.dataStart, start, <usize>this.number);
    return bytes;
  }

  /** Opens an array and returns how many items follow. */
  array(): i32 {
    return this.enter(Major.ARRAY, "an array", 1);
  }

  /** Opens a map and returns how many pairs of a key and a value follow. */
  map(): i32 {
    return this.enter(Major.MAP, "a map", 2);
  }

  /** Reads a tag; the item that it belongs to follows. */
  tag(): u64 {
    if (!this.head()) return 0;
    if (this.initial >> 5 != Major.TAG) return this.isNot<u64>("a tag");
    return this.number;
  }

  /** Passes one item with all that is inside it. */
  skip(): void {
    // A loop, not a recursion: depth costs no stack.
    let left: u64 = 1;
    while (left > 0) {
      left--;
      if (!this.head()) return;
      switch (this.initial >> 5) {
        case Major.BYTES:
        case Major.TEXT:
          if (this.take() == 0) return;
          break;
        case Major.ARRAY:
          if (!this.holds(1)) return;
          left += this.number;
          break;
        case Major.MAP:
          if (!this.holds(2)) return;
          left += this.number << 1;
          break;
        case Major.TAG:
          left++;
          break;
      }
    }
  }

  /** Makes the call in hand fail, saying where this reader stands. */
  wrong(message: string): void {
    const path = this.whole();
    const where = path.length == 0 ? "" : `field "${path}": `;
    const event = this.event;
    if (event !== null) event.fail(`cannot read the payload: ${where}${message}`);
    else if (this.key.length > 0) fail(`cannot read the state's entry "${this.key}": ${where}${message}`);
    else fail(`cannot read the value: ${where}${message}`);
    this.at = this.end;
  }

  /** The way to where the reader stands. */
  protected whole(): string {
    if (this.path.length == 0 || this.field.length == 0) return this.path + this.field;
    return `${this.path}.${this.field}`;
  }

  /** Whether a null stands here. */
  isAtNull(): bool {
    if (this.at >= this.end) return false;
    const initial = load<u8>(this.at);
    return initial == 0xf6 || initial == 0xf7;
  }

  /** Reads an item's first byte and the number that belongs to it. */
  @inline
  protected head(): bool {
    if (this.at >= this.end) return this.tooShort();
    const initial = load<u8>(this.at++);
    this.initial = initial;
    const info = initial & 0x1f;
    if (info < 24) {
      this.number = info;
      return true;
    }
    return this.longNumber(info);
  }

  private longNumber(info: u8): bool {
    if (info > 27) {
      this.wrong("indefinite lengths are not canonical");
      return false;
    }
    const width: usize = 1 << (info - 24);
    if (this.end - this.at < width) return this.tooShort();
    switch (info) {
      case 24: this.number = load<u8>(this.at); break;
      case 25: this.number = bswap(load<u16>(this.at)); break;
      case 26: this.number = bswap(load<u32>(this.at)); break;
      default: this.number = bswap(load<u64>(this.at));
    }
    this.at += width;
    return true;
  }

  /** Reads a head, passing tags over: they say how to understand what follows, and who asks knows it. */
  private untagged(): bool {
    do {
      if (!this.head()) return false;
    } while (this.initial >> 5 == Major.TAG);
    return true;
  }

  /** Passes as many bytes as the head says and returns where they start; 0 if they are not there. */
  @inline
  protected take(): usize {
    const start = this.at;
    if (this.number > <u64>(this.end - start)) {
      this.tooShort();
      return 0;
    }
    this.at += <usize>this.number;
    return start;
  }

  private enter(major: u8, name: string, itemsEach: u64): i32 {
    if (!this.untagged()) return 0;
    if (this.initial >> 5 != major) return this.isNot<i32>(name);
    return this.holds(itemsEach) ? <i32>this.number : 0;
  }

  /** Whether so many items can follow at all: each has a byte at least. */
  private holds(itemsEach: u64): bool {
    const left = <u64>(this.end - this.at);
    return this.number > left || this.number * itemsEach > left ? this.tooShort() : true;
  }

  private tooShort(): bool {
    this.wrong("the value ends too early");
    return false;
  }

  private isNot<T>(expected: string): T {
    this.wrong(`expected ${expected}, found ${kindName(kindOf(this.initial))}`);
    return <T>0;
  }
}

/** The kind of the item that starts with this byte. */
function kindOf(initial: u8): Kind {
  if (initial >> 5 <= Major.NEGATIVE) return Kind.Integer;
  switch (initial >> 5) {
    case Major.BYTES: return Kind.Bytes;
    case Major.TEXT: return Kind.Text;
    case Major.ARRAY: return Kind.Array;
    case Major.MAP: return Kind.Map;
    case Major.TAG: return Kind.Tag;
    default: {
      if (initial == 0xf4 || initial == 0xf5) return Kind.Bool;
      return initial >= 0xf9 && initial <= 0xfb ? Kind.Float : Kind.Null;
    }
  }
}
