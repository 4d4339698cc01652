// Runs the compiled plugin: `polyfold plugin build`, then `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { event, Harness } from "../polyfold/testing/index.mjs";

const PLUGIN = new URL("../build/{{name}}.wasm", import.meta.url);

const order = (country, euros, more) => event("order.placed", { country, euros }, { stream: "order/1", ...more });

test("orders add up by country, wherever batches are cut", () => {
  for (const batchSize of [1, 2, 3]) {
    const harness = new Harness(PLUGIN, { batchSize });
    harness.apply([order("FR", 10), order("DE", 7.25), order("FR", 2.5)]);
    assert.deepEqual(harness.get("country/FR"), { euros: 12.5, orders: 2 });
    assert.deepEqual(harness.get("country/DE"), { euros: 7.25, orders: 1 });
  }
});

test("an order below nothing is refused", () => {
  const apply = () => new Harness(PLUGIN).apply([order("FR", -1)]);
  assert.throws(apply, { message: "order/1 costs -1 euros, less than nothing" });
});

test("another schema version is refused", () => {
  const apply = () => new Harness(PLUGIN).apply([order("FR", 1, { schemaVersion: 2 })]);
  assert.throws(apply, { message: "order.placed, schema version 2: expected schema version 1: update this plugin" });
});
