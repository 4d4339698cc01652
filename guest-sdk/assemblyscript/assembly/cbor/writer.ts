/** Writes CBOR in its shortest forms. */

import { encodeTo } from "../utf8";
import { Major } from "./kind";
import { toHalf } from "./float";

/**
 * CBOR that grows item by item: lengths and numbers in their shortest form, every NaN as the one NaN.
 *
 * A map's entries stand as they are written. In canonical order shorter names come first, and those of one length in
 * the order of their bytes; a `Value` puts them there by itself.
 */
export class Writer {
  private start: usize = 0;
  private at: usize = 0;
  private end: usize = 0;

  /** How many bytes are written. */
  get length(): i32 {
    return <i32>(this.at - this.start);
  }

  /** Where the bytes lie; another write may move them. */
  get pointer(): usize {
    return this.start;
  }

  /** Opens a map of this many entries: a name and a value each, which follow. */
  map(entries: i32): Writer {
    return this.head(Major.MAP, entries);
  }

  /** Opens an array of this many items, which follow. */
  array(items: i32): Writer {
    return this.head(Major.ARRAY, items);
  }

  null(): Writer {
    return this.byte(0xf6);
  }

  bool(value: bool): Writer {
    return this.byte(value ? 0xf5 : 0xf4);
  }

  integer(value: i64): Writer {
    return value < 0 ? this.head(Major.NEGATIVE, ~value) : this.head(Major.UNSIGNED, value);
  }

  unsigned(value: u64): Writer {
    return this.head(Major.UNSIGNED, value);
  }

  /** Writes the negative integer -1 - `number`, for those below -2^63. */
  negative(number: u64): Writer {
    return this.head(Major.NEGATIVE, number);
  }

  /** Writes a float, in as few bytes as keep its value; also a whole one stays a float. */
  float(value: f64): Writer {
    // One NaN for all of them, or two machines could differ.
    if (isNaN(value)) return this.wide(0xf9, 0x7e00, 2);
    const single = <f32>value;
    if (<f64>single != value) return this.wide(0xfb, reinterpret<u64>(value), 8);
    const half = toHalf(single);
    return half >= 0 ? this.wide(0xf9, half, 2) : this.wide(0xfa, reinterpret<u32>(single), 4);
  }

  text(value: string): Writer {
    // Its length in bytes stands before it: written behind room for the longest head, then moved up to it.
    const room: usize = 9;
    this.reserve(room + <usize>value.length * 3);
    const from = this.at + room;
    const bytes = encodeTo(value, from) - from;
    this.head(Major.TEXT, bytes);
    memory.copy(this.at, from, bytes);
    this.at += bytes;
    return this;
  }

  bytes(value: Uint8Array): Writer {
    return this.head(Major.BYTES, value.length).raw(value.dataStart, value.length);
  }

  tag(value: u64): Writer {
    return this.head(Major.TAG, value);
  }

  /** Appends bytes that are CBOR already. */
  raw(pointer: usize, length: usize): Writer {
    this.reserve(length);
    memory.copy(this.at, pointer, length);
    this.at += length;
    return this;
  }

  /** Takes back everything behind the first `length` bytes. */
  truncate(length: i32): void {
    this.at = this.start + length;
  }

  /** A copy of what is written. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    memory.copy(bytes.dataStart, this.start, this.length);
    return bytes;
  }

  private head(major: u8, value: u64): Writer {
    const kind = major << 5;
    if (value < 24) return this.byte(kind | <u8>value);
    if (value < 0x100) return this.wide(kind | 24, value, 1);
    if (value < 0x1_0000) return this.wide(kind | 25, value, 2);
    if (value < 0x1_0000_0000) return this.wide(kind | 26, value, 4);
    return this.wide(kind | 27, value, 8);
  }

  private byte(value: u8): Writer {
    this.reserve(1);
    store<u8>(this.at++, value);
    return this;
  }

  /** Writes an item's first byte and a number of so many bytes. */
  private wide(initial: u8, value: u64, bytes: usize): Writer {
    this.reserve(9);
    store<u8>(this.at, initial);
    store<u64>(this.at + 1, bswap(value << (64 - (bytes << 3))));
    this.at += bytes + 1;
    return this;
  }

  @inline
  private reserve(bytes: usize): void {
    if (this.end - this.at < bytes) this.grow(bytes);
  }

  private grow(bytes: usize): void {
    const length = this.at - this.start;
    let size = max<usize>((this.end - this.start) << 1, 256);
    while (size - length < bytes) size <<= 1;
    const start = heap.alloc(size);
    memory.copy(start, this.start, length);
    this.start = start;
    this.at = start + length;
    this.end = start + size;
  }
}
