// JSON: integers are exact, floats and texts stay what they are.

import assert from "node:assert/strict";
import test from "node:test";
import { Float, formatJson, parseJson } from "../index.js";
import { hostJson } from "../testing/host-json.js";

test("only integers that a number would round become BigInt", () => {
  for (const [text, value] of [
    ["9007199254740991", 9007199254740991], ["9007199254740992", 9007199254740992n], ["9007199254740993", 9007199254740993n],
    ["-9007199254740993", -9007199254740993n], ["18446744073709551615", 18446744073709551615n],
    ["0.30000000000000004", 0.30000000000000004], ["1234567890123456.5", 1234567890123456.5], ["12345678901234567890.0", 12345678901234567000],
    ["12345678901234567890e1", 123456789012345680000], ["1e-12345678901234567", 0], ['"12345678901234567890"', "12345678901234567890"],
    ['"a\\"12345678901234567890"', 'a"12345678901234567890'], ['{"12345678901234567890":1}', { "12345678901234567890": 1 }],
    ['[1,12345678901234567890,{"a":-12345678901234567890}]', [1, 12345678901234567890n, { a: -12345678901234567890n }]],
    ['["\u{10fffd}1",12345678901234567890]', ["\u{10fffd}1", 12345678901234567890n]],
  ]) assert.deepEqual(parseJson(text), value, text);
});

test("long digits are found wherever they stand", () => {
  for (let at = 0; at < 40; at++) {
    assert.deepEqual(parseJson(`["${"x".repeat(at)}",9007199254740993]`), ["x".repeat(at), 9007199254740993n]);
  }
});

test("what is written is read back as itself", () => {
  for (const value of [null, 1.5, "ü\n", [1, [true]], { a: 2n ** 64n, b: "\u{10fffd}5", c: [-(2n ** 63n)] }]) {
    assert.deepEqual(parseJson(formatJson(value)), value);
  }
  assert.equal(formatJson({ count: 1, sum: new Float(2) }), '{"count":1,"sum":2}');
  assert.equal(formatJson({ small: 5n }), '{"small":5}');
});

test("what would come back as something else is an error that names the field", () => {
  for (const [value, message] of [
    [{ mean: NaN }, 'JSON cannot keep NaN in "mean"'], [Infinity, "JSON cannot keep Infinity"], [undefined, "JSON cannot keep a value of type undefined"],
    [{ seen: new Set() }, 'JSON cannot keep an object of class Set in "seen"'], [[new Map()], 'JSON cannot keep an object of class Map in "0"'],
  ]) assert.throws(() => formatJson(value), { message });
});

test("the harness hands payloads over in the host's form", () => {
  const payload = { a: 1, b: new Float(10), c: 1e300, d: 2n ** 64n - 1n, e: new Uint8Array([255]), f: NaN, g: [undefined, "x"] };
  assert.equal(hostJson(payload), '{"a":1,"b":10.0,"c":1e+300,"d":18446744073709551615,"e":"_w","f":null,"g":[null,"x"]}');
});
