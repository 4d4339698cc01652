// CBOR (RFC 8949): reads any payload, writes canonical CBOR (section 4.2.1).
//
// Integers and floats stay apart. An integer is a number, beyond 2^53 a BigInt. A float is a number too, unless that
// would be written as an integer (1.0): then it is a `Float`.

import { decodeUtf8, encodeUtf8 } from "./utf8.js";

// The log nests 128 levels at most. Twice that leaves room for what a plugin puts around a payload, and stays far from
// the end of the call stack.
const DEPTH_MAX = 256;

/** A float, also where its value has no fraction. Arithmetic takes it as a number: `new Float(1) + 1 === 2`. */
export class Float {
  constructor(value) {
    this.value = Number(value);
  }
  valueOf() {
    return this.value;
  }
  toString() {
    return String(this.value);
  }
  toJSON() {
    return this.value;
  }
}

/** A value with a tag, as it came. */
export class Tagged {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

/** A simple value that has no meaning in JavaScript, as it came. */
export class Simple {
  constructor(number) {
    this.number = number;
  }
}

/** Reads one value. What is malformed, nests deeper than 256 levels, or has bytes behind it is an error. */
export function decodeCbor(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at < bytes.length) throw new Error(`${bytes.length - reader.at} bytes behind the end of the CBOR`);
  return value;
}

/**
 * Writes one value. An object becomes a map of its own enumerable properties, a Map one with any keys; what CBOR cannot
 * say (functions, symbols, objects of other classes without `toJSON`, integers beyond 64 bits) is an error.
 */
export function encodeCbor(value) {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes.slice(0, writer.at);
}

const BREAK = Symbol("break");

class Reader {
  at = 0;

  constructor(bytes) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError("CBOR is read from a Uint8Array");
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads one value; `open` says that a break may stand in its place. It alone calls itself, once a level: an engine in
   * WebAssembly has a short call stack.
   */
  value(depth, open = false) {
    if (depth > DEPTH_MAX) throw new Error(`CBOR nested deeper than ${DEPTH_MAX} levels`);
    const initial = this.byte();
    const info = initial & 0x1f;
    switch (initial >> 5) {
      case 0:
        return this.argument(info);
      case 1: {
        const argument = this.argument(info);
        const value = typeof argument === "bigint" ? -1n - argument : -1 - argument;
        return typeof value === "bigint" || Number.isSafeInteger(value) ? value : BigInt(value);
      }
      case 2:
        return info === 31 ? this.chunks(2, concatenate) : this.take(this.length(info)).slice();
      case 3:
        return info === 31 ? this.chunks(3, (texts) => texts.join("")) : this.text(info);
      case 4: {
        const items = [];
        const count = info === 31 ? Infinity : this.count(info, 1);
        while (items.length < count) {
          const item = this.value(depth + 1, info === 31);
          if (item === BREAK) break;
          items.push(item);
        }
        return items;
      }
      case 5: {
        const keys = [];
        const values = [];
        const count = info === 31 ? Infinity : this.count(info, 2);
        while (keys.length < count) {
          const key = this.value(depth + 1, info === 31);
          if (key === BREAK) break;
          keys.push(key);
          values.push(this.value(depth + 1));
        }
        return mapOf(keys, values);
      }
      case 6:
        return new Tagged(this.argument(info), this.value(depth + 1));
      default:
        if (info === 31 && !open) throw new Error("a break outside of an indefinite length in the CBOR");
        return info === 31 ? BREAK : this.simple(info);
    }
  }

  byte() {
    if (this.at >= this.bytes.length) throw new Error("the CBOR ends too early");
    return this.bytes[this.at++];
  }

  take(length) {
    const end = this.at + length;
    if (!(end <= this.bytes.length)) throw new Error("the CBOR ends too early");
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  /** The number in an item's head: up to 2^53 a number, above it a BigInt. */
  argument(info) {
    if (info < 24) return info;
    if (info === 24) return this.byte();
    const start = this.at;
    if (info === 25) return this.take(2), this.view.getUint16(start);
    if (info === 26) return this.take(4), this.view.getUint32(start);
    if (info !== 27) throw new Error(`the CBOR has the reserved additional information ${info}`);
    this.take(8);
    const high = this.view.getUint32(start);
    return high < 0x200000 ? high * 0x100000000 + this.view.getUint32(start + 4) : this.view.getBigUint64(start);
  }

  length(info) {
    return Number(this.argument(info));
  }

  text(info) {
    const bytes = this.take(this.length(info));
    try {
      return decodeUtf8(bytes);
    } catch {
      throw new Error("text in the CBOR is not UTF-8");
    }
  }

  chunks(major, join) {
    const chunks = [];
    while (this.bytes[this.at] !== 0xff) {
      const initial = this.byte();
      if (initial >> 5 !== major || (initial & 0x1f) === 31) throw new Error("a chunk of another type in the CBOR");
      chunks.push(major === 3 ? this.text(initial & 0x1f) : this.take(this.length(initial & 0x1f)));
    }
    this.at++;
    return join(chunks);
  }

  /** How many items follow; each takes a byte at least, so a wrong head cannot ask for more than there is. */
  count(info, bytesEach) {
    const count = this.length(info);
    if (count * bytesEach > this.bytes.length - this.at) throw new Error("the CBOR ends too early");
    return count;
  }

  simple(info) {
    const start = this.at;
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 24: {
        const number = this.byte();
        if (number < 32) throw new Error(`the CBOR has the simple value ${number} in two bytes`);
        return new Simple(number);
      }
      case 25:
        return this.take(2), floatOf(halfToNumber(this.view.getUint16(start)));
      case 26:
        return this.take(4), floatOf(this.view.getFloat32(start));
      case 27:
        return this.take(8), floatOf(this.view.getFloat64(start));
      default:
        if (info > 27) throw new Error(`the CBOR has the reserved additional information ${info}`);
        return new Simple(info);
    }
  }
}

function floatOf(value) {
  return isInteger(value) ? new Float(value) : value;
}

/** Whether a number is written as an integer. What is larger, and minus zero, can only be floats. */
function isInteger(value) {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

function halfToNumber(bits) {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** An object if all keys are text, otherwise a Map. */
function mapOf(keys, values) {
  if (!keys.every((key) => typeof key === "string")) return anyMapOf(keys, values);
  const object = {};
  for (let i = 0; i < keys.length; i++) {
    // Set as a property it would become the object's prototype.
    if (keys[i] === "__proto__") defineProto(object, values[i]);
    else object[keys[i]] = values[i];
  }
  if (Object.keys(object).length < keys.length) throw new Error("a map in the CBOR has the same key twice");
  return object;
}

function defineProto(object, value) {
  Object.defineProperty(object, "__proto__", { value, enumerable: true, configurable: true, writable: true });
}

function anyMapOf(keys, values) {
  const seen = new Set(keys.map((key) => encodeCbor(key).join()));
  if (seen.size < keys.length) throw new Error("a map in the CBOR has the same key twice");
  return new Map(keys.map((key, i) => [key, values[i]]));
}

function concatenate(chunks) {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

class Writer {
  bytes = new Uint8Array(128);
  view = new DataView(this.bytes.buffer);
  at = 0;

  /** Writes one value. It alone calls itself, once a level, as the reader does. */
  value(value, depth) {
    if (typeof value !== "object" || value === null) return this.scalar(value);
    if (depth > DEPTH_MAX) throw new Error(`nested deeper than ${DEPTH_MAX} levels, or in a circle`);
    if (Array.isArray(value)) {
      this.head(4, value.length);
      for (const item of value) this.value(item, depth + 1);
    } else if (value instanceof Float) {
      this.float(value.value);
    } else if (value instanceof Uint8Array) {
      this.head(2, value.length);
      this.raw(value);
    } else if (value instanceof Tagged) {
      this.head(6, value.tag);
      this.value(value.value, depth + 1);
    } else if (value instanceof Simple) {
      this.simple(value.number);
    } else if (typeof value.toJSON === "function") {
      this.value(value.toJSON(), depth + 1);
    } else {
      const entries = sorted(entriesOf(value));
      this.head(5, entries.length);
      for (const { key, item } of entries) {
        this.raw(key);
        this.value(item, depth + 1);
      }
    }
  }

  scalar(value) {
    switch (typeof value) {
      case "number":
        return isInteger(value) ? this.integer(value) : this.float(value);
      case "string":
        return this.text(value);
      case "boolean":
        return this.head(7, value ? 21 : 20);
      case "undefined":
        return this.head(7, 23);
      case "bigint":
        return this.bigInteger(value);
      case "object":
        return this.head(7, 22);
      default:
        throw new TypeError(`CBOR cannot keep a value of type ${typeof value}`);
    }
  }

  integer(value) {
    if (value >= 0) this.head(0, value);
    else this.head(1, -1 - value);
  }

  bigInteger(value) {
    const argument = value < 0n ? -1n - value : value;
    if (argument > 0xffffffffffffffffn) throw new RangeError(`the integer ${value} does not fit 64 bits`);
    this.head(value < 0n ? 1 : 0, argument <= 0xffffffffn ? Number(argument) : argument);
  }

  text(text) {
    const bytes = encodeUtf8(text);
    this.head(3, bytes.length);
    this.raw(bytes);
  }

  /** Writes an item's head in its shortest form. A BigInt is 2^32 or more. */
  head(major, argument) {
    const type = major << 5;
    if (typeof argument === "bigint" || argument > 0xffffffff) {
      this.room(9);
      this.bytes[this.at] = type | 27;
      this.view.setBigUint64(this.at + 1, BigInt(argument));
      this.at += 9;
    } else if (argument < 24) {
      this.room(1);
      this.bytes[this.at++] = type | argument;
    } else if (argument < 0x100) {
      this.room(2);
      this.bytes[this.at++] = type | 24;
      this.bytes[this.at++] = argument;
    } else if (argument < 0x10000) {
      this.room(3);
      this.bytes[this.at] = type | 25;
      this.view.setUint16(this.at + 1, argument);
      this.at += 3;
    } else {
      this.room(5);
      this.bytes[this.at] = type | 26;
      this.view.setUint32(this.at + 1, argument);
      this.at += 5;
    }
  }

  simple(number) {
    if (!(number >= 0 && number < 256) || (number > 19 && number < 32)) {
      throw new RangeError(`there is no simple value ${number}`);
    }
    this.room(2);
    if (number >= 32) this.bytes[this.at++] = 0xf8;
    this.bytes[this.at++] = number < 32 ? 0xe0 | number : number;
  }

  /** Writes a float in the shortest form that keeps its value. */
  float(value) {
    this.room(9);
    if (Number.isNaN(value)) {
      this.bytes.set([0xf9, 0x7e, 0x00], this.at);
      this.at += 3;
      return;
    }
    const half = numberToHalf(value);
    if (half !== null) {
      this.bytes[this.at] = 0xf9;
      this.view.setUint16(this.at + 1, half);
      this.at += 3;
    } else if (Math.fround(value) === value) {
      this.bytes[this.at] = 0xfa;
      this.view.setFloat32(this.at + 1, value);
      this.at += 5;
    } else {
      this.bytes[this.at] = 0xfb;
      this.view.setFloat64(this.at + 1, value);
      this.at += 9;
    }
  }

  raw(bytes) {
    this.room(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  room(length) {
    if (this.at + length <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + length));
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

function entriesOf(value) {
  if (value instanceof Map) return [...value];
  if (isPlain(value)) return Object.entries(value);
  throw new TypeError(`CBOR cannot keep an object of class ${value.constructor?.name}`);
}

/** Encodes the keys of entries, and puts them in the bytewise order of that. */
function sorted(entries) {
  const encoded = entries.map(([key, item]) => ({ key: encodeCbor(key), item }));
  encoded.sort((a, b) => compareBytes(a.key, b.key));
  if (encoded.some(({ key }, i) => i > 0 && compareBytes(encoded[i - 1].key, key) === 0)) {
    throw new Error("a map has the same key twice");
  }
  return encoded;
}

/** The bits of a 16-bit float with this value, or null if there is none. */
function numberToHalf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  if (size === 0) return sign;
  if (size > 65504 || size < 2 ** -24) return null;
  if (size < 2 ** -14) {
    const fraction = size * 2 ** 24;
    return Number.isInteger(fraction) ? sign | fraction : null;
  }
  let exponent = Math.floor(Math.log2(size));
  // The logarithm of a number just below a power of two may be rounded up to it.
  if (2 ** exponent > size) exponent--;
  const fraction = (size / 2 ** exponent - 1) * 1024;
  return Number.isInteger(fraction) ? sign | ((exponent + 15) << 10) | fraction : null;
}

export function compareBytes(a, b) {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
