// What a plugin says of itself, checked while it is built and not when it is installed.

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const PAYLOAD_ENCODINGS = ["json", "cbor"];
const STATE_ENCODINGS = ["json", "cbor", "text", "bytes"];

export function projectionManifest(definition) {
  return {
    ...common(definition),
    eventTypes: texts(definition, "eventTypes"),
    categories: texts(definition, "categories"),
    payloadEncoding: oneOf(definition, "payloadEncoding", PAYLOAD_ENCODINGS, "json"),
    stateEncoding: oneOf(definition, "stateEncoding", STATE_ENCODINGS, "json"),
    views: (definition.views ?? []).map(({ name, prefix, description }) => ({
      name: text(name, "a view's name"),
      prefix: text(prefix, `the prefix of view "${name}"`),
      description: text(description, `the description of view "${name}"`),
    })),
  };
}

export function upcasterManifest(definition) {
  const steps = (definition.steps ?? []).map(({ eventType, schemaVersion, newEventType }) => ({
    eventType: text(eventType, "a step's eventType"),
    schemaVersion: version(schemaVersion, eventType),
    newEventType,
  }));
  if (steps.length === 0) throw new TypeError("an upcaster has one step at least");
  // CBOR: what an upcaster does not touch must stay bit by bit, and JSON knows no 10.0, no bytes and no NaN.
  return { ...common(definition), steps, payloadEncoding: oneOf(definition, "payloadEncoding", PAYLOAD_ENCODINGS, "cbor") };
}

/** A function that an author has to write. */
export function method(definition, name) {
  if (typeof definition[name] === "function") return definition[name].bind(definition);
  throw new TypeError(`the plugin has no function "${name}"`);
}

function common(definition) {
  const name = text(definition.name, "the plugin's name");
  if (!NAME.test(name)) throw new TypeError(`the plugin's name "${name}" is not 1 to 64 of a-z, 0-9 and -, starting with a letter`);
  return {
    name,
    version: text(definition.version, "the plugin's version"),
    description: text(definition.description, "the plugin's description"),
  };
}

function text(value, what) {
  if (typeof value === "string") return value;
  throw new TypeError(`${what} is ${value === undefined ? "missing" : "no text"}`);
}

function texts(definition, name) {
  const list = definition[name] ?? [];
  if (Array.isArray(list)) return list.map((item) => text(item, `an item of ${name}`));
  throw new TypeError(`${name} is no array`);
}

function oneOf(definition, name, known, otherwise) {
  const value = definition[name] ?? otherwise;
  if (known.includes(value)) return value;
  throw new TypeError(`${name} is "${value}", known are ${known.join(", ")}`);
}

function version(value, eventType) {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new TypeError(`the schemaVersion of step "${eventType}" is no integer from 1`);
}
