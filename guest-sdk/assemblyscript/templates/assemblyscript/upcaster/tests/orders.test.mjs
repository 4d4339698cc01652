// Runs the compiled plugin: `polyfold plugin build`, then `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { event, Harness } from "../polyfold/testing/index.mjs";

const PLUGIN = new URL("../build/{{name}}.wasm", import.meta.url);

test("euros become cents, and other fields stay", () => {
  for (const [euros, cents] of [[9.5, 950], [0.125, 13], [-0.125, -13], [10, 1000]]) {
    const old = event("order.placed", { country: "FR", euros, gift: [1, 1.5] });
    const lifted = new Harness(PLUGIN).upcast(old);
    assert.deepEqual(lifted.value, { country: "FR", cents, gift: [1, 1.5] });
    assert.equal(lifted.schemaVersion, 2);
  }
});
