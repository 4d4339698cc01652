// What becomes of a sample and of a specimen.

import assert from "node:assert/strict";
import test from "node:test";
import { Float, Tagged } from "../polyfold/index.js";
import { Harness, event } from "../polyfold/testing.js";
import conformance from "../src/plugin.ts";

const lift = (eventType: string, payload: object, schemaVersion = 1) => new Harness(conformance).upcast(event(eventType, payload, { schemaVersion }));
const others = { u64: 2n ** 64n - 1n, nan: NaN, one: new Float(1), bytes: new Uint8Array([255, 0]), tagged: new Tagged(1000, {}) };

test("a sample goes through both steps and other fields stay", () => {
  const { eventType, schemaVersion, payload } = lift("sample", { int: -(2n ** 63n), float: -0, text: "𝄞", ...others });
  assert.deepEqual([eventType, schemaVersion], ["sample", 3]);
  assert.deepEqual(payload, { lifted: 2, integer: -(2n ** 63n), measure: { value: -0 }, texts: ["𝄞"], ...others });
});

test("a specimen becomes a sample that says so", () => {
  const { eventType, payload } = lift("specimen", others);
  assert.equal(eventType, "sample");
  assert.deepEqual(payload, { lifted: 2, was: "specimen", ...others });
});

test("the text of a failure is the whole message", () => {
  for (const version of [1, 2]) {
    assert.throws(() => lift("sample", { fail: "no: {} %s" }, version), { message: "no: {} %s" });
  }
});
