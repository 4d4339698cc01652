// Every op's exact result. Runs the compiled plugin: `polyfold plugin build`, then `node --test tests/*.test.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, event, Float, Harness, Tagged } from "../polyfold/testing/index.mjs";

const PLUGIN = new URL("../build/conformance.wasm", import.meta.url);

const probe = (op, fields) => event("probe", { op, ...fields });

function run(...events) {
  const harness = new Harness(PLUGIN, { parameters: { a: 1.5 } });
  harness.apply(events);
  return harness;
}

/** Checks an entry's bytes: what is written must be the canonical form of `expected`. */
function check(harness, key, expected) {
  const hex = (bytes) => Buffer.from(bytes ?? []).toString("hex");
  assert.equal(hex(harness.entries.get(key)), hex(encode(expected)), key);
}

const fails = (message, ...events) => assert.throws(() => run(...events), { message });

test("echo keeps every value, and delete removes it", () => {
  const values = [
    null, true, 0, -1, 23, 24, 255, 256, 65535, 65536, 2 ** 53, 2n ** 64n - 1n, -(2n ** 64n), -(2n ** 63n),
    -0, new Float(1), new Float(0), 0.1, 1.5, 5e-324, 5.960464477539063e-8, new Float(65504), new Float(65536),
    3.4028234663852886e38, 1e300, NaN, Infinity, -Infinity,
    "", "e\u0301", "é", "𝄞", "\0", "\ufeff", "a".repeat(300),
    new Uint8Array(0), Uint8Array.of(0, 255), new Uint8Array(70000).fill(7),
    [], {}, [[], {}, [{}]], { zz: {}, b: [], a: new Tagged(2n, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0)) },
    new Map([[1, "int"], [-1, "negative"], ["1", "text"], [new Float(1), "float"], [Uint8Array.of(49), "bytes"]]),
    new Tagged(1000, { x: [new Tagged(1, 5)] }),
  ];
  for (const value of values) {
    check(run(probe("echo", { key: "k", value })), "echo/k", value);
    const gone = run(probe("echo", { key: "", value }), probe("delete", { key: "" }), probe("delete", { key: "x" }));
    assert.equal(gone.entries.size, 0);
  }
  let deep = 0;
  for (let level = 0; level < 127; level++) deep = level % 2 ? [deep] : { d: deep };
  check(run(probe("echo", { key: "deep", value: deep })), "echo/deep", deep);
});

test("sums are exact or fail", () => {
  const sum = (key, int, float) => probe("sum", { key, int, float: new Float(float) });
  const ends = [sum("c", -(2n ** 63n), 0.5), sum("c", 2n ** 64n - 1n, 0.5)];
  const harness = run(sum("a", 2n ** 60n, 0.1), sum("a", 1, 0.2), sum("b", 0, -0), ...ends);
  check(harness, "sum/a", { int: 2n ** 60n + 1n, count: 2, float: 0.1 + 0.2 });
  check(harness, "sum/b", { int: 0, count: 1, float: -0 });
  check(harness, "sum/c", { int: 2n ** 63n - 1n, count: 2, float: new Float(1) });
  fails("sum/d does not fit 64 bits", sum("d", 2n ** 63n, 0.5));
  fails("sum/e does not fit 64 bits", sum("e", -(2n ** 63n), 0.5), sum("e", -1, 0.5));
  fails("sum/f does not fit 64 bits", sum("f", -(2n ** 64n), 0.5));
  const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)];
  check(run(sum("g", most, 0.5), sum("g", 1n - 2n ** 64n, 0.5)), "sum/g", { int: least, count: 2, float: new Float(1) });
  fails("sum/h does not fit 64 bits", sum("h", most, 0.5), sum("h", -(2n ** 64n), 0.5));
});

test("quotients are cut towards zero", () => {
  const divide = (a, b, quotient, remainder) =>
    check(run(probe("divide", { key: "k", a, b })), "divide/k", { quotient, remainder });
  divide(-7, 2, -3, -1);
  divide(7, -2, -3, 1);
  divide(2n ** 63n - 1n, 10, 922337203685477580n, 7);
  divide(-(2n ** 63n), -1, 2n ** 63n, 0);
  fails("division by zero", probe("divide", { key: "k", a: 1, b: 0 }));
});

test("facts of floats", () => {
  const float = (value) => new Float(value);
  const facts = (values, [sum, mean, min, max, root]) => {
    const harness = run(probe("floats", { key: "k", values: values.map(float) }));
    const expected = { sum, mean, min, max, root };
    check(harness, "floats/k", Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, float(value)])));
  };
  facts([0.1, 0.2, 0.3], [0.6000000000000001, 0.20000000000000004, 0.1, 0.3, Math.sqrt(0.1)]);
  facts([0, -0], [0, 0, -0, 0, 0]);
  facts([-0, 0], [0, 0, -0, 0, 0]);
  facts([-0], [-0, -0, -0, -0, 0]);
  facts([-2, NaN, 1], [NaN, NaN, NaN, NaN, Math.SQRT2]);
  facts([Infinity, -1e300], [Infinity, Infinity, -1e300, Infinity, Infinity]);
  fails("no values", probe("floats", { key: "k", values: [] }));
});

test("a text has bytes and code points", () => {
  for (const [value, bytes, code_points] of [["", 0, 0], ["e\u0301", 3, 2], ["é", 2, 1], ["𝄞", 4, 1]]) {
    check(run(probe("text", { value })), `text/${value}`, { bytes, code_points });
  }
});

test("the largest entry is written as it says", () => {
  const harness = run(probe("large", { key_bytes: 1024, value_bytes: 2 ** 20, seed: 300 }));
  const [[key, value]] = harness.entries;
  assert.equal(key, `large/${"k".repeat(1018)}`);
  assert.deepEqual([value.length, ...value.slice(0, 5)], [2 ** 20, 0x5a, 0x00, 0x0f, 0xff, 0xfb]);
  assert(value.slice(5).every((byte, index) => byte === (index * 31 + 300) % 256));
});

test("fill and scan over pages", () => {
  for (const page of [1, 7, 100, 100_000]) {
    const harness = run(probe("fill", { prefix: "x", count: 2100 }), probe("scan", { prefix: "fill/x", page }));
    let [hash, bytes] = [2166136261, 0];
    for (const [key, value] of harness.entries) {
      if (!key.startsWith("fill/")) continue;
      for (const byte of [...Buffer.from(key), ...value]) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
      bytes += key.length + value.length;
    }
    check(harness, "scan/2", { entries: 2100, bytes, hash });
    check(harness, "fill/x/02099", 2099);
  }
});

test("write goes in order, and many reads what is there", () => {
  const entries = [["a", 1], ["b", "two"], ["a"], ["c"], ["b", 1000], ["d", null]];
  const harness = run(probe("write", { entries }), probe("many", { keys: ["d", "a", "b", "b"] }));
  check(harness, "echo/b", 1000);
  check(harness, "echo/d", null);
  check(harness, "many/2", { found: 3, bytes: 7 });
  assert.equal(harness.entries.size, 3);
});

test("context tells the whole envelope", () => {
  const harness = new Harness(PLUGIN);
  harness.setEnvelope(1, { id: "id-1", occurredAt: -1, causationId: "", metadata: { aa: "1", z: "2" }, tags: ["z", "a"] });
  harness.apply([event("probe", { op: "context" }, { recordedAt: 5 })]);
  check(harness, "context/1", {
    id: "id-1", actor: null, occurred_at: -1, causation_id: "", correlation_id: null, metadata: { z: "2", aa: "1" },
    tags: ["z", "a"], sequence: 1, stream: "test/1", version: 1, event_type: "probe", schema_version: 1, recorded_at: 5,
  });
});

test("parameters are kept, and a log message is not", () => {
  const levels = ["trace", "debug", "info", "warn", "error"];
  const harness = run(...levels.map((level) => probe("log", { level, message: "{} %s 𝄞" })), probe("parameters"));
  check(harness, "parameters", '{"a":1.5}');
  assert.equal(harness.entries.size, 1);
  assert.deepEqual(harness.logs, levels.map((level) => ({ level, message: "{} %s 𝄞" })));
});

test("failures have exactly their text", () => {
  fails('50 % of {} and "𝄞"', probe("fail", { message: '50 % of {} and "𝄞"' }));
  fails("", probe("fail", { message: "" }));
  fails("unknown op jump", probe("jump"));
  assert.throws(() => run(probe("echo", { key: 5, value: 1 })), /probe, schema version 1: cannot read the payload: field "key": expected a text, found an integer/);
});
