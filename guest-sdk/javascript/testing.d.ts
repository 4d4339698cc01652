// The types of what runs a plugin natively, for unit tests.

import type { Entry, Event, Projection, Upcaster } from "./index.js";

/** Fields that a test can set: those of an event and those of its envelope. */
export interface Fields {
  sequence?: number;
  stream?: string;
  version?: number;
  schemaVersion?: number;
  recordedAt?: number;
  id?: string;
  occurredAt?: number;
  actor?: string;
  causationId?: string;
  correlationId?: string;
  metadata?: Record<string, string>;
  tags?: string[];
}

export interface TestEvent<P = any> extends Fields {
  stream: string;
  eventType: string;
  schemaVersion: number;
  recordedAt: number;
  payload: P;
}

/** Makes an event: of schema version 1 and in the stream `test/1`, unless `fields` says otherwise. */
export function event<P>(eventType: string, payload: P, fields?: Fields): TestEvent<P>;

/** Reads events as `polyfold import` and `export` have them: a JSON object a line. */
export function events(lines: string): TestEvent[];

/** A plugin with a state of its own, in place of a host. */
export class Harness<Plugin extends Projection | Upcaster = Projection | Upcaster> {
  /** Cuts batches at `batchSize` events. A state must not depend on it: compare two harnesses. */
  constructor(plugin: Plugin, options?: { parameters?: object; batchSize?: number });
  /** What the plugin has logged, failed calls included. */
  readonly logs: { level: string; message: string }[];
  readonly manifest: Plugin["manifest"];
  /** Applies the events that the manifest asks for, in batches. A batch that fails throws and changes nothing. */
  apply(events: Iterable<TestEvent>): void;
  /** Lifts an event through every step that the upcaster has for it. */
  upcast(event: TestEvent): Event;
  /** An entry's value, or undefined. */
  get<V = any>(key: string): V | undefined;
  /** The entries whose key starts with a prefix, in key order. */
  scan<V = any>(prefix?: string): Entry<V>[];
  /** The whole state, as it is stored. */
  entries(): Entry<Uint8Array>[];
}
