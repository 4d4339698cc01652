// What a plugin's author imports: the kinds of plugin, what they may ask of the host, and the codecs.

export { projection } from "./projection.js";
export { keyed } from "./keyed.js";
export { upcaster } from "./upcaster.js";
export { expectSchemaVersion } from "./event.js";
export { fail, Refusal } from "./errors.js";
export { state } from "./state.js";
export { context } from "./context.js";
export { log } from "./log.js";
export { Float, Simple, Tagged, decodeCbor, encodeCbor } from "./cbor.js";
export { parseJson, formatJson } from "./json.js";
export { decodeUtf8, encodeUtf8 } from "./utf8.js";
