// What the kit does with values, failures and the state.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { event, Harness } from "../testing/index.mjs";
import { compile } from "./compile.mjs";

let plugin;
before(() => (plugin = compile("probe")));

const raw = (bytes) => ({ ...event("value", null), payload: Uint8Array.from(bytes) });

function run(...events) {
  const harness = new Harness(plugin);
  harness.apply(events);
  return harness;
}

test("malformed CBOR is an error that says what is wrong", () => {
  const check = (bytes, why) => {
    assert.throws(() => run(raw(bytes)), { message: `value, schema version 1: cannot read the payload: ${why}` });
  };
  const short = "the value ends too early";
  for (const bytes of [[], [0x19, 1], [0x61], [0x81], [0xa1, 0x61, 0x61], [0xc1], [0xf9, 0]]) check(bytes, short);
  for (const head of [0x5b, 0x7b, 0x9b, 0xbb]) check([head, ...new Array(8).fill(255)], short);
  for (const head of [0x9a, 0xba]) check([head, 0x7f, 255, 255, 255], short);
  check([0x5f, 0xff], "indefinite lengths are not canonical");
  check([0xe0], "only false, true and null are supported of simple values");
  check(new Array(1000).fill(0x81), "nested more than 128 levels deep");
  for (const text of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]]) {
    check([0x60 + text.length, ...text], "the text is not UTF-8");
  }
});

test("no bytes at all make the plugin trap", () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647);
  for (let round = 0; round < 3000; round++) {
    const bytes = Array.from({ length: random() % 12 }, () => random() % 256);
    try {
      run(raw(bytes));
    } catch (error) {
      assert.doesNotMatch(error.message, /^trap/, `seed round ${round}: ${bytes}`);
    }
  }
});

test("every float of 16 bits comes back bit by bit, every NaN as the one", () => {
  for (let bits = 0; bits < 65536; bits += 7) {
    const isNaN = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
    const expected = isNaN ? [0xf9, 0x7e, 0] : [0xf9, bits >> 8, bits & 255];
    assert.deepEqual([...run(raw([0xf9, bits >> 8, bits & 255])).entries.get("value")], expected);
  }
});

test("longer forms than needed become the shortest, and a map gets its order", () => {
  const check = (bytes, expected) => assert.deepEqual([...run(raw(bytes)).entries.get("value")], expected);
  check([0x1b, 0, 0, 0, 0, 0, 0, 0, 5], [5]);
  check([0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], [0xf9, 0x3e, 0]);
  check([0xfa, 0x7f, 0xc0, 0, 1], [0xf9, 0x7e, 0]);
  check([0xa2, 0x62, 0x61, 0x61, 1, 0x61, 0x62, 2], [0xa2, 0x61, 0x62, 2, 0x62, 0x61, 0x61, 1]);
  assert.throws(() => run(raw([0xa2, 1, 1, 1, 2])), { message: "a map has the same key twice" });
});

test("a throw logs its message, file and line, and traps", () => {
  const harness = new Harness(plugin);
  const message = /^trap: no more of test\/1 \(assembly\/probe\.ts:\d+:\d+\)$/;
  assert.throws(() => harness.apply([event("throw", null)]), (error) => message.test(error.message));
  assert.equal(harness.logs[0].level, "error");
  assert.throws(() => harness.apply([event("out of range", null)]), /trap: Index out of range /);
});

test("the first reason to fail counts, and nothing is written behind it", () => {
  const harness = new Harness(plugin);
  assert.throws(() => harness.apply([event("went on", null)]), { message: "the first reason" });
  assert.equal(harness.entries.size, 0);
});

test("what a program prints is logged", () => {
  const { logs } = run(event("prints", null));
  assert.deepEqual(logs, [{ level: "info", message: "printed" }, { level: "trace", message: "traced 1.0 2.5" }]);
});

test("fields are read in any order, and as often as one likes", () => {
  const read = (payload) => run(event("fields", payload)).get("fields");
  assert.deepEqual(read({ a: 1, b: "two", c: { x: 2.5 }, d: [1, [2]] }), ["two", 1, "two", 2.5, true]);
  assert.deepEqual(read({ a: null, b: "two", c: { x: 2.5 } }), ["two", -1, "two", 2.5, true]);
  const message = 'fields, schema version 1: cannot read the payload: field "c.x": expected a number, found a text';
  assert.throws(() => run(event("fields", { a: 1, b: "", c: { x: "" } })), { message });
});

test("entries go through all pages", () => {
  assert.equal(run(event("entries", null)).get("count"), 2500);
});

test("an event says where it stands", () => {
  const harness = run(event("about", null, { stream: "café/𝄞/1", sequence: 2 ** 53 - 1, version: 7, recordedAt: 3 }));
  assert.equal(harness.get("café 9007199254740991 7 3"), "café/𝄞/1");
});

test("numbers are shown as people write them", () => {
  assert.deepEqual(run(event("show", null)).get("shown"), ["-1", "0.1", "1e+21"]);
});

test("another schema version than expected is refused with the way out", () => {
  const message = "expects, schema version 2: expected schema version 1: install nothing";
  assert.throws(() => run(event("expects", null, { schemaVersion: 2 })), { message });
});

test("a plugin that registers nothing says so", () => {
  const harness = new Harness(compile("unregistered"));
  assert.throws(() => harness.describe(), /trap: call exportProjection\(new …\(\)\) in the main file/);
});
