// An upcaster: lifts the payload of an old event into a newer shape.

import { encodeCbor } from "./cbor.js";
import { decodePayload } from "./event.js";
import { formatJson } from "./json.js";
import { method, upcasterManifest } from "./manifest.js";
import { finished } from "./projection.js";

/** Makes a plugin of `{ name, version, description, steps, upcast(event, payload) }`. */
export function upcaster(definition) {
  const upcast = method(definition, "upcast");
  const manifest = upcasterManifest(definition);
  const answer = manifest.payloadEncoding === "json"
    ? (payload) => ({ tag: "json", val: formatJson(payload) })
    : (payload) => ({ tag: "cbor", val: encodeCbor(payload) });
  return {
    kind: "upcaster",
    manifest,
    upcast: (events) => events.map((event) => {
      event.payload = decodePayload(event, event.payload);
      const payload = finished(upcast(event, event.payload), "upcast");
      if (payload === undefined) throw new TypeError("upcast returned nothing: return the payload's new shape");
      return answer(payload);
    }),
  };
}
