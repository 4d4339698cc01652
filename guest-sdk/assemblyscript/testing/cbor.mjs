// CBOR for tests: payloads out of JavaScript values, and values back out of a state.

/** A float that is whole, which a number of JavaScript does not show. */
export class Float {
  constructor(value) {
    this.value = value;
  }

  valueOf() {
    return this.value;
  }
}

/** A tag and what it belongs to. */
export class Tagged {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

/**
 * Writes canonical CBOR. A whole number is an integer, any other a float; `new Float(1)` is a float, too. A BigInt is an
 * integer. A Map may have keys of any kind.
 */
export function encode(value) {
  return Uint8Array.from(item(value));
}

function item(value) {
  if (value === null || value === undefined) return [0xf6];
  if (typeof value === "boolean") return [value ? 0xf5 : 0xf4];
  if (typeof value === "bigint") return value < 0n ? head(1, -1n - value) : head(0, value);
  if (typeof value === "number") {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? item(BigInt(value)) : float(value);
  }
  if (typeof value === "string") return string(3, new TextEncoder().encode(value));
  if (value instanceof Float) return float(value.value);
  if (value instanceof Tagged) return [...head(6, BigInt(value.tag)), ...item(value.value)];
  if (value instanceof Uint8Array) return string(2, value);
  if (Array.isArray(value)) return [...head(4, BigInt(value.length)), ...value.flatMap(item)];
  const pairs = value instanceof Map ? [...value] : Object.entries(value).filter(([, field]) => field !== undefined);
  const entries = pairs.map(([key, field]) => [item(key), item(field)]);
  entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return [...head(5, BigInt(entries.length)), ...entries.flat(2)];
}

/** `...` cannot spread the largest byte strings over a call, so they are joined piece by piece. */
function string(major, bytes) {
  const joined = head(major, BigInt(bytes.length));
  for (const byte of bytes) joined.push(byte);
  return joined;
}

function head(major, number) {
  const kind = major << 5;
  if (number < 24n) return [kind | Number(number)];
  const [info, width] = number < 0x100n ? [24, 1] : number < 0x10000n ? [25, 2] : number < 0x100000000n ? [26, 4] : [27, 8];
  const bytes = [kind | info];
  for (let at = width - 1; at >= 0; at--) bytes.push(Number((number >> BigInt(at * 8)) & 0xffn));
  return bytes;
}

function float(value) {
  if (Number.isNaN(value)) return [0xf9, 0x7e, 0x00];
  const view = new DataView(new ArrayBuffer(9));
  const half = halfOf(value);
  if (half !== null) {
    view.setUint8(0, 0xf9);
    view.setUint16(1, half);
    return [...new Uint8Array(view.buffer, 0, 3)];
  }
  if (Math.fround(value) === value) {
    view.setUint8(0, 0xfa);
    view.setFloat32(1, value);
    return [...new Uint8Array(view.buffer, 0, 5)];
  }
  view.setUint8(0, 0xfb);
  view.setFloat64(1, value);
  return [...new Uint8Array(view.buffer)];
}

/** The bits of the half precision float of exactly this value, or null if there is none. */
function halfOf(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  if (size === Infinity) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const fraction = (size / 2 ** exponent) * 1024;
  if (exponent > 15 || !Number.isInteger(fraction)) return null;
  return fraction < 1024 ? sign | fraction : sign | ((exponent + 15) << 10) | (fraction - 1024);
}

/**
 * Reads CBOR. Integers beyond 2^53 come as BigInt, floats that are whole, -0 and NaN apart, as `Float`, maps as objects
 * if all keys are texts.
 */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [value, end] = read(view, 0);
  if (end !== bytes.byteLength) throw new Error("bytes behind the end of the value");
  return value;
}

function read(view, at) {
  const initial = view.getUint8(at++);
  const [major, info] = [initial >> 5, initial & 31];
  if (major === 7) return simple(view, at, initial);
  let number = BigInt(info);
  if (info === 24) number = BigInt(view.getUint8(at));
  else if (info === 25) number = BigInt(view.getUint16(at));
  else if (info === 26) number = BigInt(view.getUint32(at));
  else if (info === 27) number = view.getBigUint64(at);
  at += info < 24 ? 0 : 1 << (info - 24);
  if (major <= 1) return [narrow(major === 0 ? number : -1n - number), at];
  const length = Number(number);
  if (major <= 3) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
    return [major === 2 ? bytes : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), at + length];
  }
  if (major === 6) {
    const [value, end] = read(view, at);
    return [new Tagged(narrow(number), value), end];
  }
  const items = [];
  for (let left = major === 4 ? length : 2 * length; left > 0; left--) {
    const [value, end] = read(view, at);
    items.push(value);
    at = end;
  }
  if (major === 4) return [items, at];
  const pairs = Array.from({ length }, (_, index) => [items[2 * index], items[2 * index + 1]]);
  return [pairs.every(([key]) => typeof key === "string") ? Object.fromEntries(pairs) : new Map(pairs), at];
}

function narrow(number) {
  return number >= Number.MIN_SAFE_INTEGER && number <= Number.MAX_SAFE_INTEGER ? Number(number) : number;
}

function simple(view, at, initial) {
  const whole = (value) => (Number.isInteger(value) && !Object.is(value, -0) ? new Float(value) : value);
  switch (initial) {
    case 0xf4: return [false, at];
    case 0xf5: return [true, at];
    case 0xf6: return [null, at];
    case 0xf9: return [whole(fromHalf(view.getUint16(at))), at + 2];
    case 0xfa: return [whole(view.getFloat32(at)), at + 4];
    case 0xfb: return [whole(view.getFloat64(at)), at + 8];
    default: throw new Error(`${initial.toString(16)} is not supported`);
  }
}

function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
