/** How the host calls a projection: a plugin's main file exports all of this, and transform.mjs gives it the ABI's names. */

import { done, EVENT_SIZE, refused } from "../abi";
import { Event } from "../event";
import { failed } from "../failure";
import { exportedProjection } from "../projection";

export { cabi_realloc } from "../abi";

export function projection_describe(): usize {
  return exportedProjection().describe().lower();
}

export function projection_apply(list: usize, count: i32): usize {
  const events = new Array<Event>(count);
  for (let i = 0; i < count; i++) events[i] = changetype<Event>(list + <usize>i * EVENT_SIZE);
  exportedProjection().apply(events);
  return failed() ? refused() : done(0, 0);
}
