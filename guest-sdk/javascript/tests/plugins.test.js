// What the kit makes of an author's functions: folds, states, errors, and what a plugin must not do.

import assert from "node:assert/strict";
import test from "node:test";
import { context, expectSchemaVersion, fail, keyed, log, projection, state, upcaster } from "../index.js";
import { errorText } from "../errors.js";
import { connect } from "../host.js";
import { Harness, event, events } from "../testing.js";

const about = { name: "trial", version: "1.0.0", description: "tries the kit" };

/** Balances: `paid` moves an amount between two accounts; an account at zero has no entry. */
const balances = (definition = {}) => keyed({
  ...about,
  keys: (_, { from, to }) => [`account/${from}`, `account/${to}`],
  fold({ amount, payments } = { amount: 0, payments: 0 }, _, paid, key) {
    const sign = key.endsWith(paid.from) ? -1 : 1;
    return { amount: amount + sign * paid.amount, payments: payments + 1 };
  },
  keep: ({ amount }) => amount !== 0,
  ...definition,
});
const names = ["ann", "bob", "cid", "dan"];
const payments = Array.from({ length: 200 }, (_, i) => event("paid", { from: names[i % 3], to: names[(i * 7 + 1) % 4], amount: i % 5 }));

test("where batches are cut does not matter", () => {
  for (const stateEncoding of ["json", "cbor"]) {
    const entriesOf = (batchSize) => {
      const harness = new Harness(balances({ stateEncoding }), { batchSize });
      harness.apply(payments);
      return harness.entries();
    };
    for (const size of [1, 2, 3, 7, 199]) assert.deepEqual(entriesOf(size), entriesOf(200), `batches of ${size}`);
  }
});

test("a value not worth keeping has no entry and starts afresh", () => {
  const harness = new Harness(balances());
  const there = event("paid", { from: "ann", to: "bob", amount: 5 });
  harness.apply([there, event("paid", { from: "bob", to: "ann", amount: 5 })]);
  assert.deepEqual(harness.entries(), []);
  harness.apply([there]);
  assert.deepEqual(harness.get("account/bob"), { amount: 5, payments: 1 });
});

test("a batch reads once and writes once, and only what has changed", () => {
  const sum = keyed({ ...about, keys: (_, { key }) => key, fold: (sum = 0, _, { amount }) => sum + amount });
  const records = [["x", 1], ["y", 0], [null, 5], ["x", 2]].map(([key, amount]) => ({ payload: { tag: "json", val: JSON.stringify({ key, amount }) } }));
  const calls = [];
  const stored = [undefined, new Uint8Array([0x30])];
  const spy = { getMany: (keys) => (calls.push(keys), stored), write: (changes) => calls.push(changes) };
  const before = connect({ state: spy, stateEncoding: "json" });
  sum.apply(records);
  connect(before);
  assert.deepEqual(calls, [["x", "y"], [{ key: "x", value: new Uint8Array([0x33]) }]]);
});

test("a failed batch changes nothing, and the error is the author's own", () => {
  const harness = new Harness(balances());
  const bad = event("paid", { from: "ann", to: "bob" });
  assert.throws(() => harness.apply([payments[1], bad]), /cannot write the state's entry "account\/\w+": JSON cannot keep NaN in "amount"/);
  assert.deepEqual(harness.entries(), []);
});

test("another schema version is refused in the words of every kit", () => {
  const picky = projection({ ...about, apply: (events) => events.forEach((event) => expectSchemaVersion(event, 2, "install the upcaster")) });
  const message = "paid, schema version 1: expected schema version 2: install the upcaster";
  assert.throws(() => new Harness(picky).apply([payments[0]]), { message });
});

test("the state is read, written, paged and deleted", () => {
  const trial = projection({
    ...about,
    apply() {
      state.write(Array.from({ length: 25 }, (_, i) => [`n/${String(i).padStart(2, "0")}`, i]));
      state.put("big", 2n ** 60n);
      assert.deepEqual(state.getMany(["n/03", "none", "big"]), [3, undefined, 2n ** 60n]);
      assert.deepEqual(state.scan("n/", { after: "n/22" }), [["n/23", 23], ["n/24", 24]]);
      assert.equal([...state.entries("n/", { limit: 7 })].length, 25);
      assert.deepEqual(state.raw.get("n/10"), new Uint8Array([0x31, 0x30]));
      state.write([["n/00", undefined], ["n/01", 100]]);
      state.delete("big");
      assert.throws(() => state.put("x", undefined), /no value to put at "x"/);
    },
  });
  const harness = new Harness(trial);
  harness.apply([event("a", {})]);
  assert.deepEqual([harness.get("n/00"), harness.get("n/01"), harness.get("big")], [undefined, 100, undefined]);
});

test("parameters, envelopes and log messages", () => {
  const trial = projection({
    ...about,
    apply([{ sequence }]) {
      log.info(`limit ${context.parameters().limit}`);
      state.put("of", [context.envelopeOf(sequence).actor, context.envelopeOf(sequence).metadata.get("b"), context.envelopeOf(99) === undefined]);
    },
  });
  const harness = new Harness(trial, { parameters: { limit: 5 } });
  harness.apply([event("a", {}, { actor: "me", metadata: { b: "1" } })]);
  assert.deepEqual(harness.logs, [{ level: "info", message: "limit 5" }]);
  assert.deepEqual(harness.get("of"), ["me", "1", true]);
});

test("clock, chance and waiting are refused", () => {
  const run = (apply) => new Harness(projection({ ...about, apply })).apply([event("a", {})]);
  assert.throws(() => run(() => Date.now()), /a plugin has no clock/);
  assert.throws(() => run(() => new Date()), /a plugin has no clock/);
  assert.throws(() => run(() => Math.random()), /no random numbers/);
  assert.throws(() => run(async () => {}), /apply is async/);
  run(() => assert.equal(new Date(0).toISOString(), "1970-01-01T00:00:00.000Z"));
  assert.ok(Date.now() > 0 && Math.random() >= 0);
});

test("an upcaster goes through its steps, and floats stay floats", () => {
  const steps = [{ eventType: "a", schemaVersion: 1 }, { eventType: "a", schemaVersion: 2, newEventType: "b" }];
  const lifted = new Harness(upcaster({ ...about, steps, upcast: (event, payload) => ({ ...payload, [event.schemaVersion]: 1 }) }))
    .upcast(events('{"stream":"x/1","type":"a","data":{"n":18446744073709551615}}')[0]);
  assert.deepEqual([lifted.eventType, lifted.schemaVersion, lifted.payload], ["b", 3, { n: 2n ** 64n - 1n, 1: 1, 2: 1 }]);
});

test("mistakes in a definition are named", () => {
  for (const [make, message] of [
    [() => keyed({ ...about, keys() {} }), 'the plugin has no function "fold"'],
    [() => projection({ ...about, name: "Trial", apply() {} }), /name "Trial" is not/],
    [() => projection({ name: "a", version: "1", apply() {} }), "the plugin's description is missing"],
    [() => projection({ ...about, stateEncoding: "xml", apply() {} }), 'stateEncoding is "xml", known are json, cbor, text, bytes'],
    [() => upcaster({ ...about, upcast() {} }), "an upcaster has one step at least"],
    [() => state.get("x"), /there is no host to ask for state/],
  ]) assert.throws(make, { message });
});

test("what the host is told of an error", () => {
  const caught = (call) => {
    try {
      call();
    } catch (error) {
      return errorText(error);
    }
  };
  assert.equal(caught(() => fail("no: %s")), "no: %s");
  assert.equal(caught(() => { throw "text"; }), "thrown: text");
  assert.match(caught(() => null.x), /^TypeError: .*null.*\n\s+at .*plugins\.test\.js:\d+/);
});
