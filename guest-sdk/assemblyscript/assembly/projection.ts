/** A projection, and which one this plugin is. */

import { Event } from "./event";
import { Manifest } from "./manifest";

/**
 * A fold of events into state. Most projections are easier written as a `KeyedFold`.
 *
 * Each call runs in an instance made for it, so there is nothing to keep in between.
 */
export abstract class Projection {
  /** Says what this plugin is; must always answer the same. */
  abstract describe(): Manifest;

  /**
   * Folds events, in order of sequence, into `state`. The result must not depend on how many events come in one call.
   */
  abstract apply(events: Event[]): void;
}

let projection: Projection | null = null;

/** Makes this the projection that the plugin is. */
export function exportProjection(plugin: Projection): void {
  projection = plugin;
}

/** The projection that this plugin is. */
export function exportedProjection(): Projection {
  const found = projection;
  if (found === null) throw new Error("call exportProjection(new …()) in the main file");
  return found;
}
