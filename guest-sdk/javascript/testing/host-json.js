// A payload as JSON in the form in which the host makes it from CBOR: floats have a point or an exponent.

import { Float, Tagged } from "../cbor.js";

export function hostJson(value) {
  if (value instanceof Float) return floatText(value.value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : floatText(value);
  if (typeof value === "bigint") return String(value);
  if (value instanceof Tagged) return hostJson(value.value);
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64url"));
  if (Array.isArray(value)) return `[${value.map(hostJson).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null);
  const pairs = value instanceof Map ? [...value] : Object.entries(value);
  return `{${pairs.map(([key, item]) => `${JSON.stringify(String(key))}:${hostJson(item)}`).join()}}`;
}

function floatText(value) {
  if (!Number.isFinite(value)) return "null";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
