// A projection in its free form: it is given the events of a call and reads and writes the state as it likes.

import { Event } from "./event.js";
import { method, projectionManifest } from "./manifest.js";

/** Makes a plugin of `{ name, version, description, ..., apply(events) }`. */
export function projection(definition) {
  const apply = method(definition, "apply");
  return {
    kind: "projection",
    manifest: projectionManifest(definition),
    apply: (records) => finished(apply(records.map((record) => new Event(record))), "apply"),
  };
}

/** A call ends when it returns: what an async function does after that would be lost. */
export function finished(result, name) {
  if (typeof result?.then === "function") throw new TypeError(`${name} is async: a plugin has nothing to wait for`);
  return result;
}
