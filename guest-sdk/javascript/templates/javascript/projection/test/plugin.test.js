// Orders, and what the projection makes of them.

import assert from "node:assert/strict";
import test from "node:test";
import { Harness, event } from "../polyfold/testing.js";
import revenue from "../src/plugin.js";

const order = (country, euros) => event("order.placed", { country, euros }, { stream: "order/1" });

test("orders add up by country, wherever batches are cut", () => {
  for (const batchSize of [1, 2, 100]) {
    const harness = new Harness(revenue, { batchSize });
    harness.apply([order("FR", 10), order("DE", 2.5), order("FR", 0.5)]);
    assert.deepEqual(harness.get("country/FR"), { orders: 2, euros: 10.5 });
    assert.deepEqual(harness.get("country/DE"), { orders: 1, euros: 2.5 });
  }
});

test("an order that costs less than nothing is refused", () => {
  const harness = new Harness(revenue);
  assert.throws(() => harness.apply([order("FR", -1)]), { message: "order/1 costs -1 euros, less than nothing" });
  assert.deepEqual(harness.entries(), []);
});

test("an order of another schema version is refused", () => {
  const newer = event("order.placed", { country: "FR", cents: 100 }, { schemaVersion: 2 });
  const message = "order.placed, schema version 2: expected schema version 1: update this plugin";
  assert.throws(() => new Harness(revenue).apply([newer]), { message });
});
