// A state in memory, with the limits that a host enforces.

import { compareBytes } from "../cbor.js";
import { encodeUtf8 } from "../utf8.js";

const KEY_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 1024 * 1024;
const PAGE_ENTRIES_MAX = 1000;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export class MemoryState {
  #entries = new Map();
  /** What the call in hand has replaced, oldest first. */
  #undo = [];

  get(key) {
    checkKey(key);
    return this.#entries.get(key);
  }

  getMany(keys) {
    return keys.map((key) => this.get(key));
  }

  put(key, value) {
    this.#change(key, value);
  }

  delete(key) {
    this.#change(key, undefined);
  }

  write(changes) {
    for (const { key, value } of changes) this.#change(key, value);
  }

  scan(prefix, after, limit) {
    const page = [];
    let bytes = 0;
    for (const [key, value] of this.pairs(prefix)) {
      if (after != null && compareKeys(key, after) <= 0) continue;
      if (page.length >= Math.min(limit, PAGE_ENTRIES_MAX) || bytes >= PAGE_BYTES_MAX) break;
      page.push({ key, value });
      bytes += encodeUtf8(key).length + value.length;
    }
    return page;
  }

  /** All entries whose key starts with a prefix, in key order. */
  pairs(prefix) {
    return [...this.#entries].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => compareKeys(a, b));
  }

  commit() {
    this.#undo = [];
  }

  rollBack() {
    for (const [key, value] of this.#undo.reverse()) this.#set(key, value);
    this.#undo = [];
  }

  #change(key, value) {
    checkKey(key);
    if (value?.length > VALUE_BYTES_MAX) {
      throw new Error(`the value of key "${key}" has ${value.length} bytes, more than ${VALUE_BYTES_MAX}`);
    }
    this.#undo.push([key, this.#entries.get(key)]);
    this.#set(key, value);
  }

  #set(key, value) {
    if (value === undefined) this.#entries.delete(key);
    else this.#entries.set(key, value);
  }
}

function checkKey(key) {
  const { length } = encodeUtf8(key);
  if (length < 1 || length > KEY_BYTES_MAX) {
    throw new Error(`the key "${key}" has ${length} bytes, a key has 1 to ${KEY_BYTES_MAX}`);
  }
}

/** By the bytes of their UTF-8, which is not the order of JavaScript's own comparison. */
function compareKeys(a, b) {
  return compareBytes(encodeUtf8(a), encodeUtf8(b));
}
