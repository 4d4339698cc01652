// The projection's state: entries, ordered by key. Reads see the writes of the same call.
//
// A host call costs about as much as a hundred lines of JavaScript, so `getMany` and `write` beat `get` and `put` in a
// loop.

import { host, reach } from "./host.js";
import { FORMS, readValue, writeForm } from "./values.js";

const ENTRIES_A_PAGE = 1000;

const encode = (form, key, value) => {
  if (value === undefined) throw new TypeError(`no value to put at "${key}": \`state.delete\` removes an entry`);
  return form.toBytes(writeForm(form, key, value));
};
const decode = (form, key, stored) => (stored == null ? undefined : readValue(form, key, stored));

function over(form) {
  const access = {
    /** The value of a key, or undefined. */
    get: (key) => decode(form(), key, reach("state").get(key)),

    /** The values of many keys, in their order. */
    getMany(keys) {
      const wanted = [...keys];
      return reach("state").getMany(wanted).map((stored, i) => decode(form(), wanted[i], stored));
    },

    put(key, value) {
      reach("state").put(key, encode(form(), key, value));
    },

    delete(key) {
      reach("state").delete(key);
    },

    /** Makes many changes, pairs of key and value, in their order; a value that is undefined deletes the entry. */
    write(changes) {
      const change = ([key, value]) => ({ key, value: value === undefined ? undefined : encode(form(), key, value) });
      reach("state").write(Array.from(changes, change));
    },

    /** One page of the entries whose key starts with a prefix, as pairs; an empty one means that there are no more. */
    scan(prefix, { after, limit = ENTRIES_A_PAGE } = {}) {
      return reach("state").scan(prefix, after, limit).map(({ key, value }) => [key, decode(form(), key, value)]);
    },

    /** All entries whose key starts with a prefix, page by page. */
    *entries(prefix, { limit = ENTRIES_A_PAGE } = {}) {
      let after;
      for (let page; (page = access.scan(prefix, { after, limit })).length > 0; after = page.at(-1)[0]) yield* page;
    },
  };
  return access;
}

export const state = {
  ...over(() => FORMS[host?.stateEncoding ?? "json"]),
  /** The same with the bytes as they are stored. */
  raw: over(() => FORMS.bytes),
};
