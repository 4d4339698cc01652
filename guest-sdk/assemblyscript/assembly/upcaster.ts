/** An upcaster, and which one this plugin is. */

import { Event } from "./event";
import { UpcasterManifest } from "./manifest";
import { Payload } from "./payload";

/** Functions from an old event's payload to a newer shape. */
export abstract class Upcaster {
  /** Says what this plugin is; must always answer the same. */
  abstract describe(): UpcasterManifest;

  /** Lifts this event's payload one step, by changing it. The event's type and schema version tell which step. */
  abstract upcast(event: Event, payload: Payload): void;
}

let upcaster: Upcaster | null = null;

/** Makes this the upcaster that the plugin is. */
export function exportUpcaster(plugin: Upcaster): void {
  upcaster = plugin;
}

/** The upcaster that this plugin is. */
export function exportedUpcaster(): Upcaster {
  const found = upcaster;
  if (found === null) throw new Error("call exportUpcaster(new …()) in the main file");
  return found;
}
