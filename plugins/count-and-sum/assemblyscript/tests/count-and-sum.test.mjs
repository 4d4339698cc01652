// Runs the compiled plugin: `polyfold plugin build`, then `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { event, Harness } from "../polyfold/testing/index.mjs";

const PLUGIN = new URL("../build/count-and-sum.wasm", import.meta.url);

const arrived = (payload) => event("flight.arrived", payload);

test("flights and minutes add up by tail number, and those without one are passed over", () => {
  for (const batchSize of [1, 2, 4]) {
    const harness = new Harness(PLUGIN, { batchSize });
    harness.apply([
      arrived({ tailnum: "N14228", air_time: 227, carrier: "UA" }),
      arrived({ tailnum: null, air_time: 160 }),
      arrived({ air_time: 160 }),
      arrived({ tailnum: "N14228", air_time: 360 }),
    ]);
    assert.deepEqual(harness.scan(""), [["N14228", { count: 2, sum: 587 }]]);
  }
});
