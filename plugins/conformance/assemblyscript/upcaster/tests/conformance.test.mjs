// What each step makes. Runs the compiled plugin: `polyfold plugin build`, then `node --test tests/*.test.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, event, Float, Harness, Tagged } from "../polyfold/testing/index.mjs";

const PLUGIN = new URL("../build/conformance-v2.wasm", import.meta.url);

const others = { u64: 2n ** 64n - 1n, nan: NaN, bytes: Uint8Array.of(255, 0), tagged: new Tagged(1000, {}), é: [], zzz: -0 };

function check(type, fields, expected) {
  const lifted = new Harness(PLUGIN).upcast(event(type, { ...fields, ...others }));
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  assert.equal(hex(lifted.payload), hex(encode({ ...expected, ...others })));
  assert.deepEqual([lifted.type, lifted.schemaVersion], ["sample", 3]);
}

test("a sample goes through both steps, and other fields stay", () => {
  check(
    "sample",
    { int: -(2n ** 63n), float: -0, text: "𝄞" },
    { lifted: 2, integer: -(2n ** 63n), measure: { value: -0 }, texts: ["𝄞"] },
  );
  check("sample", { float: new Float(1) }, { lifted: 2, measure: { value: new Float(1) } });
});

test("a specimen becomes a sample that says so", () => {
  check("specimen", {}, { lifted: 2, was: "specimen" });
});

test("the text of a failure is the whole message", () => {
  for (const schemaVersion of [1, 2]) {
    const upcast = () => new Harness(PLUGIN).upcast(event("sample", { fail: "no: {} %s" }, { schemaVersion }));
    assert.throws(upcast, { message: "no: {} %s" });
  }
});
