/** Everything a plugin uses. */

export { Kind } from "./cbor/kind";
export { Reader } from "./cbor/reader";
export { Value } from "./cbor/value";
export { Writer } from "./cbor/writer";
export { context, Envelope } from "./context";
export { Event } from "./event";
export { fail, failed } from "./failure";
export { Fields } from "./fields";
export { Ignored, KeyedFold, Keys, Readable, Stored } from "./keyed";
export { Level, log } from "./log";
export { Manifest, PayloadEncoding, StateEncoding, UpcasterManifest } from "./manifest";
export { show } from "./number";
export { Payload } from "./payload";
export { exportProjection, Projection } from "./projection";
export { Change, Entries, Entry, state } from "./state";
export { exportUpcaster, Upcaster } from "./upcaster";
export { codePoints, utf8Length } from "./utf8";
