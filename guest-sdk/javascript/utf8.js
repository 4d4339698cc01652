// Text to UTF-8 and back, by whatever the engine does natively: Node has TextDecoder, QuickJS has not.

// QuickJS reads Latin-1 into text natively by base64, and UTF-8 by `decodeURIComponent`. Its own loops over bytes
// cost about ten times as much.
const NOT_ASCII = /[^\0-\x7f]/;

const quickJs = typeof TextDecoder === "undefined";
const decoder = quickJs ? null : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = quickJs ? null : new TextEncoder();

/** Reads UTF-8; throws an error if it is none. */
export function decodeUtf8(bytes) {
  if (decoder) return decoder.decode(bytes);
  const latin1 = atob(bytes.toBase64());
  return NOT_ASCII.test(latin1) ? decodeURIComponent(escape(latin1)) : latin1;
}

/** Writes UTF-8; throws an error if a surrogate stands alone, which UTF-8 cannot say. */
export function encodeUtf8(text) {
  if (NOT_ASCII.test(text) && !wellFormed(text)) throw new Error("the text has half of a surrogate pair");
  if (encoder) return encoder.encode(text);
  return Uint8Array.fromBase64(btoa(NOT_ASCII.test(text) ? unescape(encodeURIComponent(text)) : text));
}

function wellFormed(text) {
  return text.isWellFormed ? text.isWellFormed() : !/\p{Surrogate}/u.test(text);
}
