// A state's values: between bytes and what a plugin works with, in the encoding that its manifest names.
//
// Each encoding has a form in between that is cheap to compare: text for JSON and text, bytes for the others.

import { compareBytes, decodeCbor, encodeCbor } from "./cbor.js";
import { formatJson, parseJson } from "./json.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const sameText = (a, b) => a === b;
const sameBytes = (a, b) => compareBytes(a, b) === 0;
const itself = (value) => value;

/** By the name of the encoding in a manifest: bytes <-> form <-> value. */
export const FORMS = {
  json: { ofBytes: decodeUtf8, toBytes: encodeUtf8, read: parseJson, write: formatJson, same: sameText },
  text: { ofBytes: decodeUtf8, toBytes: encodeUtf8, read: itself, write: isText, same: sameText },
  cbor: { ofBytes: itself, toBytes: itself, read: decodeCbor, write: encodeCbor, same: sameBytes },
  bytes: { ofBytes: itself, toBytes: itself, read: itself, write: isBytes, same: sameBytes },
};

function isText(value) {
  if (typeof value === "string") return value;
  throw new TypeError("the state's encoding is text: its values are strings");
}

function isBytes(value) {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("the state's encoding is bytes: its values are Uint8Arrays");
}

/** Reads a stored value. */
export function readValue(form, key, stored) {
  return readForm(form, key, form.ofBytes(stored));
}

export function readForm(form, key, between) {
  try {
    return form.read(between);
  } catch (error) {
    throw new Error(`cannot read the state's entry "${key}": ${error.message}`, { cause: error });
  }
}

/** Writes a value in its form between, which `toBytes` then makes bytes of. */
export function writeForm(form, key, value) {
  try {
    return form.write(value);
  } catch (error) {
    throw new Error(`cannot write the state's entry "${key}": ${error.message}`, { cause: error });
  }
}
