// What a host gives to a plugin: its state, what surrounds a call, and a log.

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** The ABI's limits, which a host enforces by a trap. */
const KEY_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 1024 * 1024;
const PAGE_ENTRIES_MAX = 1000;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** The imports of one call, of which `memory()` is the plugin's memory; changes go to `state`, a Map of keys to bytes. */
export function imports(memory, { state, envelopes, parameters, logs }) {
  const put = (key, value) => {
    checkKey(key);
    if (value === null) return void state.delete(key);
    if (value.length > VALUE_BYTES_MAX) throw new Error(`the value of key "${key}" has ${value.length} bytes`);
    state.set(key, value);
  };
  const get = (key) => {
    checkKey(key);
    return state.get(key);
  };
  const setBytes = (at, bytes) => memory().setBytes(at, bytes);
  const setText = (at, text) => memory().setText(at, text);
  return {
    "polyfold:plugin/state@0.1.0": {
      get(pointer, length, answer) {
        memory().setOption(answer, get(memory().textAt(pointer, length)), 4, setBytes);
      },
      "get-many"(pointer, length, answer) {
        const keys = memory().listAt(pointer, length, 8, (at) => memory().text(at));
        memory().setList(answer, keys.map(get), 12, (at, value) => memory().setOption(at, value, 4, setBytes));
      },
      put(pointer, length, value, valueLength) {
        put(memory().textAt(pointer, length), memory().bytesAt(value, valueLength));
      },
      delete(pointer, length) {
        put(memory().textAt(pointer, length), null);
      },
      write(pointer, length) {
        const change = (at) => put(memory().text(at), memory().u8(at + 8) ? memory().bytes(at + 12) : null);
        memory().listAt(pointer, length, 20, change);
      },
      scan(pointer, length, hasAfter, after, afterLength, limit, answer) {
        const prefix = memory().textAt(pointer, length);
        const page = scan(state, prefix, hasAfter ? memory().textAt(after, afterLength) : null, limit >>> 0);
        memory().setList(answer, page, 16, (at, [key, value]) => {
          setText(at, key);
          setBytes(at + 8, value);
        });
      },
    },
    "polyfold:plugin/context@0.1.0": {
      "envelope-of"(sequence, answer) {
        memory().setOption(answer, envelopes.get(Number(sequence)), 8, (at, envelope) => {
          setText(at, envelope.id);
          memory().setOption(at + 8, envelope.occurredAt, 8, (place, time) => memory().setU64(place, time));
          memory().setOption(at + 24, envelope.actor, 4, setText);
          memory().setOption(at + 36, envelope.causationId, 4, setText);
          memory().setOption(at + 48, envelope.correlationId, 4, setText);
          memory().setList(at + 60, Object.entries(envelope.metadata ?? {}).sort(byKey), 16, (pair, [name, value]) => {
            setText(pair, name);
            setText(pair + 8, value);
          });
          memory().setList(at + 68, envelope.tags ?? [], 8, setText);
        });
      },
      parameters(answer) {
        setText(answer, JSON.stringify(parameters));
      },
    },
    "polyfold:plugin/logging@0.1.0": {
      log(level, pointer, length) {
        logs.push({ level: LEVELS[level], message: memory().textAt(pointer, length) });
      },
    },
  };
}

function checkKey(key) {
  const bytes = Buffer.byteLength(key);
  if (bytes < 1 || bytes > KEY_BYTES_MAX) throw new Error(`the key "${key}" has ${bytes} bytes, a key has 1 to ${KEY_BYTES_MAX}`);
}

/** Orders entries by their keys' bytes. */
export function byKey([a], [b]) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A page of a state's entries, as the ABI cuts it. */
function scan(state, prefix, after, limit) {
  const found = [...state].filter(([key]) => key.startsWith(prefix)).sort(byKey);
  const start = after === null ? 0 : found.findIndex(([key]) => byKey([key], [after]) > 0);
  const page = [];
  let bytes = 0;
  for (const [key, value] of start < 0 ? [] : found.slice(start)) {
    if (page.length >= Math.min(limit, PAGE_ENTRIES_MAX) || bytes >= PAGE_BYTES_MAX) break;
    page.push([key, value]);
    bytes += Buffer.byteLength(key) + value.length;
  }
  return page;
}
