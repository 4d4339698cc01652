// Every op's exact result, natively.

import assert from "node:assert/strict";
import test from "node:test";
import { Float, encodeCbor } from "../polyfold/index.js";
import { type Fields, Harness, type TestEvent, event } from "../polyfold/testing.js";
import conformance from "../src/plugin.ts";

const probe = (op: string, fields: object = {}, envelope: Fields = {}) => event("probe", { op, ...fields }, { recordedAt: 5, ...envelope });

function run(...events: TestEvent[]) {
  const harness = new Harness(conformance, { parameters: { a: 1.5 } });
  harness.apply(events);
  return harness;
}

/** Checks an entry to the byte. */
function check(harness: Harness, key: string, expected: unknown) {
  const entry = harness.entries().find(([other]) => other === key);
  assert.ok(entry, `no ${key}`);
  assert.equal(Buffer.from(entry[1]).toString("hex"), Buffer.from(encodeCbor(expected)).toString("hex"), key);
}

const fails = (message: string, ...events: TestEvent[]) => assert.throws(() => run(...events), { message });

test("echo keeps every value and delete removes it", () => {
  const values = [null, undefined, 2n ** 64n - 1n, -(2n ** 64n), -0, new Float(1), NaN, new Uint8Array(), "e\u0301𝄞", { zz: {}, b: [] }];
  for (const value of values) {
    check(run(probe("echo", { key: "k", value })), "echo/k", value);
    assert.deepEqual(run(probe("echo", { key: "", value }), probe("delete", { key: "" }), probe("delete", { key: "x" })).entries(), []);
  }
});

const sum = (key: string, int: number | bigint, float: number) => probe("sum", { key, int, float: new Float(float) });

test("sums are exact or fail", () => {
  const harness = run(sum("a", 2n ** 60n, 0.1), sum("a", 1, 0.2), sum("b", 0, -0));
  check(harness, "sum/a", { count: 2, int: 2n ** 60n + 1n, float: 0.1 + 0.2 });
  check(harness, "sum/b", { count: 1, int: 0, float: -0 });
  check(run(sum("c", -(2n ** 63n), 0.5), sum("c", 2n ** 64n - 1n, 0.5)), "sum/c", { count: 2, int: 2n ** 63n - 1n, float: new Float(1) });
  fails("sum/d does not fit 64 bits", sum("d", 2n ** 63n, 0.5));
  fails("sum/e does not fit 64 bits", sum("e", -(2n ** 63n), 0.5), sum("e", -1, 0.5));
});

test("quotients are cut towards zero", () => {
  const divide = (a: number | bigint, b: number | bigint) => probe("divide", { key: "k", a, b });
  check(run(divide(-7, 2)), "divide/k", { quotient: -3, remainder: -1 });
  check(run(divide(7, -2)), "divide/k", { quotient: -3, remainder: 1 });
  check(run(divide(-(2n ** 63n), -1)), "divide/k", { quotient: 2n ** 63n, remainder: 0 });
  fails("division by zero", divide(1, 0));
});

test("facts of floats", () => {
  const facts = (values: number[], expected: number[]) => {
    const floats = (numbers: number[]) => numbers.map((number) => new Float(number));
    const [sum, mean, min, max, root] = floats(expected);
    check(run(probe("floats", { key: "k", values: floats(values) })), "floats/k", { sum, mean, min, max, root });
  };
  const tenths = 0.1 + 0.2 + 0.3;
  facts([0.1, 0.2, 0.3], [tenths, tenths / 3, 0.1, 0.3, Math.sqrt(0.1)]);
  facts([0, -0], [0, 0, -0, 0, 0]);
  facts([-0], [-0, -0, -0, -0, 0]);
  facts([-2, NaN, 1], [NaN, NaN, NaN, NaN, Math.SQRT2]);
  fails("no values", probe("floats", { key: "k", values: [] }));
});

test("a text has bytes and code points", () => {
  for (const [value, bytes, code_points] of [["", 0, 0], ["e\u0301", 3, 2], ["é", 2, 1], ["𝄞", 4, 1]]) {
    check(run(probe("text", { value })), `text/${value}`, { bytes, code_points });
  }
});

test("the largest entry is written as it says", () => {
  const [[key, value]] = run(probe("large", { key_bytes: 1024, value_bytes: 2 ** 20, seed: 300 })).entries();
  assert.deepEqual([key.length, value.length], [1024, 2 ** 20]);
  assert.deepEqual([...value.slice(0, 7)], [0x5a, 0x00, 0x0f, 0xff, 0xfb, 300 % 256, 331 % 256]);
});

test("fill and scan over pages", () => {
  for (const page of [7, 100, 100_000]) {
    const harness = run(probe("fill", { prefix: "x", count: 2100 }), probe("scan", { prefix: "fill/x", page }));
    check(harness, "fill/x/02099", 2099);
    const { entries, bytes } = harness.get("scan/2");
    assert.deepEqual([entries, bytes], [2100, 2100 * 12 + 24 + 232 * 2 + 1844 * 3]);
  }
});

test("write goes in order and many reads what is there", () => {
  const entries = [["a", 1], ["b", "two"], ["a"], ["c"], ["b", 1000], ["d", null]];
  const harness = run(probe("write", { entries }), probe("many", { keys: ["d", "a", "b", "b"] }));
  check(harness, "echo/b", 1000);
  check(harness, "many/2", { found: 3, bytes: 7 });
  assert.equal(harness.entries().length, 3);
});

test("context tells the whole envelope", () => {
  const envelope = { id: "id-1", occurredAt: -1, causationId: "", metadata: { z: "2", aa: "1" }, tags: ["z", "a"] };
  check(run(probe("context", {}, envelope)), "context/1", {
    ...{ id: "id-1", actor: null, occurred_at: -1, causation_id: "", correlation_id: null },
    ...{ metadata: { z: "2", aa: "1" }, tags: ["z", "a"], sequence: 1, stream: "test/1", version: 1 },
    ...{ event_type: "probe", schema_version: 1, recorded_at: 5 },
  });
});

test("parameters are kept and a log message is not", () => {
  const harness = run(probe("log", { level: "warn", message: "{} %s" }), probe("parameters"));
  assert.deepEqual(harness.scan(), [["parameters", '{"a":1.5}']]);
  assert.deepEqual(harness.logs, [{ level: "warn", message: "{} %s" }]);
});

test("failures have exactly their text", () => {
  fails('50 % of {} and "𝄞"', probe("fail", { message: '50 % of {} and "𝄞"' }));
  fails("", probe("fail", { message: "" }));
  fails("unknown op jump", probe("jump"));
});
