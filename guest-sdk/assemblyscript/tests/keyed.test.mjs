// The keyed fold: where batches are cut, values that are not kept, events that cannot be read.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { event, Harness } from "../testing/index.mjs";
import { compile } from "./compile.mjs";

let plugin;
before(() => (plugin = compile("balances")));

const paid = (from, to, amount) => event("paid", { from, to, amount });
const names = ["ann", "bob", "cid", "dän"];
const payments = Array.from({ length: 200 }, (_, i) => paid(names[i % 3], names[(i * 7 + 1) % 4], i % 5));

test("where batches are cut does not matter", () => {
  const whole = new Harness(plugin);
  whole.apply(payments);
  assert(whole.entries.size > 2);
  for (const batchSize of [1, 2, 3, 7, 199]) {
    const cut = new Harness(plugin, { batchSize });
    cut.apply(payments);
    assert.deepEqual(cut.entries, whole.entries, `batches of ${batchSize}`);
  }
});

test("a batch of many keys finds each again", () => {
  const harness = new Harness(plugin);
  harness.apply(Array.from({ length: 6000 }, (_, i) => paid(`a${i % 3000}`, `b${i % 2999}`, 1)));
  assert.deepEqual(harness.get("account/a2999"), { amount: -2, payments: 2 });
  assert.equal(harness.entries.size, 3000 + 2999);
});

test("a value not worth keeping has no entry and starts afresh", () => {
  const harness = new Harness(plugin);
  harness.apply([paid("ann", "bob", 5), paid("bob", "ann", 5)]);
  assert.equal(harness.entries.size, 0);
  harness.apply([paid("ann", "bob", 5)]);
  assert.deepEqual(harness.get("account/bob"), { amount: 5, payments: 1 });
});

test("a batch with an event that cannot be read changes nothing, and the error says why", () => {
  const harness = new Harness(plugin);
  const check = (payload, why) => {
    const apply = () => harness.apply([paid("ann", "bob", 5), event("paid", payload)]);
    assert.throws(apply, { message: `paid, schema version 1: cannot read the payload: ${why}` });
  };
  check({ from: "a", to: "b", amount: "5" }, 'field "amount": expected an integer, found a text');
  check({ from: "a", to: "b", amount: 5.5 }, 'field "amount": expected an integer, found a float');
  check({ from: "a", to: "b" }, 'missing field "amount"');
  check([1], "expected a map, found an array");
  assert.equal(harness.entries.size, 0);
});

test("events of other types and categories are not asked for", () => {
  const harness = new Harness(plugin);
  harness.apply([event("other", 1), event("paid", 1, { stream: "elsewhere/1" })]);
  assert.equal(harness.entries.size, 0);
});
