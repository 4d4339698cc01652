// Makes the engine inside a component what authors expect of one, before any of their code runs.

import { forbidClockAndChance } from "../determinism.js";
import { log } from "../log.js";
import { decodeUtf8, encodeUtf8 } from "../utf8.js";

forbidClockAndChance();

const line = (values) => values.map(shown).join(" ");

function shown(value) {
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value);
  } catch {
    return String(value);
  }
}

// The engine has none of these; libraries expect them.
globalThis.console ??= {
  debug: (...values) => log.debug(line(values)),
  log: (...values) => log.info(line(values)),
  info: (...values) => log.info(line(values)),
  warn: (...values) => log.warn(line(values)),
  error: (...values) => log.error(line(values)),
};
globalThis.TextEncoder ??= class TextEncoder {
  encoding = "utf-8";
  encode = (text = "") => encodeUtf8(String(text).toWellFormed());
};
globalThis.TextDecoder ??= class TextDecoder {
  encoding = "utf-8";
  decode = (bytes = new Uint8Array()) => decodeUtf8(new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset, bytes.byteLength));
};
