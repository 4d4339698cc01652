// A projection as a fold by key: each event is folded into the values of the keys that it names.
//
// A call reads the values of all its keys at once, folds in memory and writes at once what has changed, which is what
// makes large batches fast. The result does not depend on where batches are cut.

import { decodePayload } from "./event.js";
import { host, reach } from "./host.js";
import { method, projectionManifest } from "./manifest.js";
import { finished } from "./projection.js";
import { FORMS, readForm, writeForm } from "./values.js";

// Half of a pair, which no UTF-8 holds.
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Makes a plugin of `{ name, version, description, ..., keys(event, payload), fold(value, event, payload, key),
 * keep(value) }`.
 */
export function keyed(definition) {
  const keys = method(definition, "keys");
  const fold = method(definition, "fold");
  const keep = definition.keep ? method(definition, "keep") : null;
  return {
    kind: "projection",
    manifest: projectionManifest(definition),
    apply: (events) => new Batch(FORMS[host.stateEncoding]).apply(events, keys, fold, keep),
  };
}

class Batch {
  /** Each distinct key with its place, in the order in which they first come. */
  #places = new Map();
  #values = [];

  constructor(form) {
    this.form = form;
  }

  apply(events, keys, fold, keep) {
    const places = events.map((event) => {
      event.payload = decodePayload(event, event.payload);
      return this.#placesOf(finished(keys(event, event.payload), "keys"));
    });
    if (this.#places.size === 0) return;
    const names = [...this.#places.keys()];
    const before = this.#read(names);
    for (let i = 0; i < events.length; i++) {
      const at = places[i];
      if (typeof at === "number") this.#fold(at, names[at], events[i], fold, keep);
      else for (const place of at) this.#fold(place, names[place], events[i], fold, keep);
    }
    this.#write(names, before);
  }

  #placesOf(keys) {
    if (typeof keys === "string") return this.#place(keys);
    if (keys == null) return [];
    if (typeof keys[Symbol.iterator] !== "function") {
      throw new TypeError(`keys returned ${String(keys)}: return a text, or an array of texts`);
    }
    return Array.from(keys, (key) => this.#place(key));
  }

  #place(key) {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    if (typeof key !== "string") throw new TypeError(`a key is text, and not ${String(key)}`);
    if (LONE_SURROGATE.test(key)) throw new TypeError(`a key has half of a character: ${JSON.stringify(key)}`);
    const place = this.#places.size;
    this.#places.set(key, place);
    return place;
  }

  /** Reads the values, and returns the form in which they were. */
  #read(names) {
    return reach("state").getMany(names).map((stored, i) => {
      const before = stored == null ? undefined : this.form.ofBytes(stored);
      this.#values.push(before === undefined ? undefined : readForm(this.form, names[i], before));
      return before;
    });
  }

  #fold(place, key, event, fold, keep) {
    const value = finished(fold(this.#values[place], event, event.payload, key), "fold");
    if (value === undefined) throw new TypeError(`fold returned nothing for "${key}": return the key's new value`);
    // If the batch ended here the entry would be deleted, so what follows must start afresh, too.
    this.#values[place] = keep === null || keep(value) ? value : undefined;
  }

  #write(names, before) {
    const changes = [];
    for (let i = 0; i < names.length; i++) {
      const key = names[i];
      if (this.#values[i] === undefined) {
        if (before[i] !== undefined) changes.push({ key, value: undefined });
        continue;
      }
      const after = writeForm(this.form, key, this.#values[i]);
      if (before[i] === undefined || !this.form.same(before[i], after)) {
        changes.push({ key, value: this.form.toBytes(after) });
      }
    }
    if (changes.length > 0) reach("state").write(changes);
  }
}
