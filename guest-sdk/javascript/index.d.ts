// The types of polyfold's kit for JavaScript and TypeScript.

/** An immutable fact. `P` is the type of its payload, which nothing checks: it is what the producers have agreed on. */
export interface Event<P = any> {
  /** The position in the log: 1, 2, 3 ... */
  readonly sequence: number;
  /** `category/name`. */
  readonly stream: string;
  /** The position in the stream: 1, 2, 3 ... */
  readonly version: number;
  readonly eventType: string;
  /** The version of the payload's shape, from 1; upcasters raise it. */
  readonly schemaVersion: number;
  /** When the log took it, in microseconds since 1970. */
  readonly recordedAt: number;
  readonly payload: P;
}

/** What stays in an entry as JSON; integers beyond 2^53 are BigInt. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [name: string]: Json };

export type PayloadEncoding = "json" | "cbor";
export type StateEncoding = "json" | "cbor" | "text" | "bytes";

/** A name for the keys that start with a prefix, for people and exports. */
export interface View {
  /** 1 to 64 of a-z, 0-9 and -. */
  name: string;
  prefix: string;
  description: string;
}

export interface About {
  /** 1 to 64 of a-z, 0-9 and -, starting with a letter. */
  name: string;
  /** By semantic versioning. */
  version: string;
  /** What the plugin makes, in a sentence. */
  description: string;
  /** How payloads come: `json`, the default of projections, is the fastest; `cbor`, the default of upcasters, is exact. */
  payloadEncoding?: PayloadEncoding;
}

export interface AboutProjection extends About {
  /** The event types that it wants, as upcasters leave them; all, if left out. */
  eventTypes?: readonly string[];
  /** The categories that it wants; all, if left out. */
  categories?: readonly string[];
  /** How values are stored; `json` if left out. */
  stateEncoding?: StateEncoding;
  views?: readonly View[];
}

export interface ProjectionDefinition<P> extends AboutProjection {
  /** Folds events, in order of sequence, into `state`. The result must not depend on how many come in one call. */
  apply(events: readonly Event<P>[]): void;
}

export interface KeyedDefinition<P, V> extends AboutProjection {
  /** The keys whose values the event changes: one, several, or none. */
  keys(event: Event<P>, payload: P): string | Iterable<string> | null | undefined;
  /** Returns a key's new value; `value` is undefined if it has none yet, so a default parameter starts it. */
  fold(value: V | undefined, event: Event<P>, payload: P, key: string): V;
  /** Whether the value is worth an entry; without one it starts afresh. */
  keep?(value: V): boolean;
}

/** From one schema version of an event type to the next. */
export interface Step {
  eventType: string;
  /** The version that it takes; it makes the one above. */
  schemaVersion: number;
  /** The type of the events that it makes, if that changes. */
  newEventType?: string;
}

export interface UpcasterDefinition<P, Q> extends About {
  steps: readonly Step[];
  /** Returns the payload's new shape. The event's type and schema version tell which step to make. */
  upcast(event: Event<P>, payload: P): Q;
}

/** A plugin: what the main file exports as its default, and what a `Harness` runs. */
export interface Projection {
  readonly kind: "projection";
  readonly manifest: Required<AboutProjection>;
}
export interface Upcaster {
  readonly kind: "upcaster";
  readonly manifest: Required<About> & { readonly steps: readonly Step[] };
}

export function projection<P = any>(definition: ProjectionDefinition<P>): Projection;
export function keyed<P = any, V = any>(definition: KeyedDefinition<P, V>): Projection;
export function upcaster<P = any, Q = any>(definition: UpcasterDefinition<P, Q>): Upcaster;

/** Refuses an event of another schema version, telling the way out, for example which upcaster to install. */
export function expectSchemaVersion(event: Event, version: number, wayOut: string): void;

/** Refuses the event with exactly this message: lower case, no full stop, naming the thing and the way out. */
export function fail(message: string): never;

/** What `fail` throws. */
export class Refusal extends Error {}

/** A key and its value. */
export type Entry<V> = [key: string, value: V];

export interface Access<Value> {
  get<V extends Value = Value>(key: string): V | undefined;
  /** The values of many keys, in their order, by one host call. */
  getMany<V extends Value = Value>(keys: Iterable<string>): (V | undefined)[];
  put<V extends Value = Value>(key: string, value: V): void;
  delete(key: string): void;
  /** Makes many changes, in their order, by one host call; a value that is undefined deletes the entry. */
  write<V extends Value = Value>(changes: Iterable<readonly [key: string, value?: V]>): void;
  /** A page of at most `limit` entries (never more than 1,000) behind the key `after`. Only an empty one is the end. */
  scan<V extends Value = Value>(prefix: string, options?: { after?: string; limit?: number }): Entry<V>[];
  /** All entries whose key starts with a prefix, page by page. */
  entries<V extends Value = Value>(prefix: string, options?: { limit?: number }): Generator<Entry<V>, void, void>;
}

/** The projection's state: entries, ordered by key. Reads see the writes of the same call. */
export const state: Access<any> & {
  /** The same with the bytes as they are stored. */
  readonly raw: Access<Uint8Array>;
};

/** The rest of an event. */
export interface Envelope {
  /** The producer's key for this event, unique in the log. */
  id: string;
  /**
   * When it happened, in microseconds since 1970. Before 1684 and after 2255 it is a BigInt, rounded to at most 32
   * microseconds: the engine hands it over as a number.
   */
  occurredAt: number | bigint | null;
  actor: string | null;
  causationId: string | null;
  correlationId: string | null;
  metadata: Map<string, string>;
  tags: string[];
}

export const context: {
  /** The rest of an event of this call; undefined for any other sequence. */
  envelopeOf(sequence: number): Envelope | undefined;
  /** The projection's parameters, `{}` if its owner gave none. */
  parameters<T = any>(): T;
  /** The same as text. */
  parametersText(): string;
};

/** Messages for the plugin's author, shown with a fault. */
export const log: Record<"trace" | "debug" | "info" | "warn" | "error", (message: unknown) => void>;

/** A float, also where its value has no fraction. Arithmetic takes it as a number, once `Number(float)` says so. */
export class Float {
  constructor(value: number | Float);
  readonly value: number;
  valueOf(): number;
  toString(): string;
  toJSON(): number;
}

/** A CBOR value with a tag, as it came. */
export class Tagged {
  constructor(tag: number | bigint, value: unknown);
  readonly tag: number | bigint;
  readonly value: any;
}

/** A simple value of CBOR that has no meaning in JavaScript, as it came. */
export class Simple {
  constructor(number: number);
  readonly number: number;
}

/** Reads one value: maps with text for keys become objects, others a Map; a float that looks like an integer a `Float`. */
export function decodeCbor(bytes: Uint8Array): any;

/** Writes one value as canonical CBOR. */
export function encodeCbor(value: unknown): Uint8Array;

/** Reads JSON; integers beyond 2^53 become BigInt. */
export function parseJson(text: string): any;

/** Writes JSON, BigInts with all their digits. What would come back as something else is an error. */
export function formatJson(value: unknown): string;

/** Reads UTF-8; what is none is an error. */
export function decodeUtf8(bytes: Uint8Array): string;

/** Writes UTF-8; half of a surrogate pair is an error. */
export function encodeUtf8(text: string): Uint8Array;
