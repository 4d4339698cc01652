// JSON whose integers are exact: those beyond 2^53 are BigInt, all others numbers.

// Marks an integer's digits while they pass through the engine's own parser or writer as text.
const MARK = "\u{10fffd}";
// Text, to pass over it, or an integer that a number may round.
const TEXT_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;

/** Reads JSON. */
export function parseJson(text) {
  if (!hasLongDigits(text)) return JSON.parse(text);
  const mark = markNotIn(text);
  const marked = text.replace(TEXT_OR_LONG_INTEGER, (token) =>
    token[0] === '"' || Number.isSafeInteger(Number(token)) ? token : `"${mark}${token}"`);
  if (marked === text) return JSON.parse(text);
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value);
}

// Whether there are 16 digits in a row: only such an integer can lie beyond 2^53. In any 16 characters one stands at a
// place that is a multiple of 16, so looking at those is enough: a sixteenth of the work of looking at all.
function hasLongDigits(text) {
  for (let at = 15; at < text.length; at += 16) {
    if (isDigit(text, at)) {
      let start = at;
      let end = at + 1;
      while (start > 0 && isDigit(text, start - 1)) start--;
      while (isDigit(text, end)) end++;
      if (end - start >= 16) return true;
    }
  }
  return false;
}

function isDigit(text, at) {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function markNotIn(text) {
  let mark = MARK;
  while (text.includes(mark)) mark += MARK;
  return mark;
}

/**
 * Writes JSON. BigInts are written with all their digits; what would come back as something else (NaN, an infinity, a
 * Map, an object of a class without `toJSON`) is an error.
 */
export function formatJson(value) {
  let integers = false;
  const check = (name, item) => {
    if (typeof item === "number" ? Number.isFinite(item) : typeof item !== "object" || isPlain(item)) {
      if (typeof item !== "bigint") return item;
      integers = true;
      return 0;
    }
    throw new TypeError(`JSON cannot keep ${describe(item)}${name === "" ? "" : ` in "${name}"`}`);
  };
  const text = JSON.stringify(value, check);
  if (text === undefined) throw new TypeError(`JSON cannot keep ${describe(value)}`);
  return integers ? formatWithIntegers(value, markNotIn(text)) : text;
}

function formatWithIntegers(value, mark) {
  const marked = JSON.stringify(value, (_, item) => (typeof item === "bigint" ? `${mark}${item}` : item));
  return marked.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, "gu"), "$1");
}

function isPlain(item) {
  if (item === null || Array.isArray(item)) return true;
  const prototype = Object.getPrototypeOf(item);
  return prototype === Object.prototype || prototype === null;
}

function describe(item) {
  if (typeof item !== "object") return typeof item === "number" ? String(item) : `a value of type ${typeof item}`;
  return `an object of class ${item.constructor?.name}`;
}
