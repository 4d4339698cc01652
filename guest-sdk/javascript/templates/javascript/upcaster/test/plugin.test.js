// Old orders, and what the upcaster makes of them.

import assert from "node:assert/strict";
import test from "node:test";
import { Harness, event } from "../polyfold/testing.js";
import orders from "../src/plugin.js";

const lift = (payload) => new Harness(orders).upcast(event("order.placed", payload));

test("euros become cents", () => {
  const order = lift({ country: "FR", euros: 9.5 });
  assert.deepEqual(order.payload, { country: "FR", cents: 950 });
  assert.equal(order.schemaVersion, 2);
});

test("the half of a cent is rounded away from zero", () => {
  assert.equal(lift({ euros: 0.125 }).payload.cents, 13);
  assert.equal(lift({ euros: -0.125 }).payload.cents, -13);
});

test("fields that it does not know stay", () => {
  assert.deepEqual(lift({ euros: 1, note: ["gift", null] }).payload, { cents: 100, note: ["gift", null] });
});
