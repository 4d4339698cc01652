/** Does what an event's type says, for tests of what the kit does with it. */

import { Event, exportProjection, fail, log, Manifest, Projection, show, state, StateEncoding, Value } from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/projection";

class Probe extends Projection {
  describe(): Manifest {
    return new Manifest("probe", "1.0.0", "what the kit does").stateEncoding(StateEncoding.Bytes).view("all", "", "all");
  }

  apply(events: Event[]): void {
    for (let i = 0; i < events.length; i++) one(events[i]);
  }
}

function one(event: Event): void {
  if (event.type == "value") state.put("value", event.value());
  else if (event.type == "throw") throw new Error(`no more of ${event.stream}`);
  else if (event.type == "out of range") log.info([1, 2][<i32>event.version + 1].toString());
  else if (event.type == "went on") {
    fail("the first reason");
    state.put("after", Value.null());
    fail("the second reason");
  } else if (event.type == "prints") {
    console.log("printed");
    trace("traced", 2, 1, 2.5);
  } else if (event.type == "fields") readFields(event);
  else if (event.type == "entries") countEntries();
  else if (event.type == "about") {
    state.put(`${event.category} ${event.sequence} ${event.version} ${event.recordedAt}`, Value.of(event.stream));
  } else if (event.type == "show") {
    state.put("shown", Value.of([Value.of(show(-1)), Value.of(show(0.1)), Value.of(show(1e21))]));
  } else if (event.type == "expects") event.expectSchemaVersion(1, "install nothing");
}

/** Reads fields in an order that is not theirs, some of them twice, and one of a map in a map. */
function readFields(event: Event): void {
  const fields = event.fields();
  const first = fields.text("b");
  const second = fields.has("a") ? fields.integer("a") : -1;
  const again = fields.text("b");
  const inner = fields.fields("c").float("x");
  const nothing = fields.optionalText("absent");
  const items = [Value.of(first), Value.of(second), Value.of(again), Value.of(inner), Value.of(nothing === null)];
  state.put("fields", Value.of(items));
}

function countEntries(): void {
  for (let i = 0; i < 2500; i++) state.putBytes(`entry/${i}`, Uint8Array.wrap(String.UTF8.encode(i.toString())));
  let count = 0;
  const entries = state.entries("entry/");
  while (entries.next()) count += entries.entry.key.startsWith("entry/") ? 1 : 0;
  state.put("count", Value.of(count));
}

exportProjection(new Probe());
