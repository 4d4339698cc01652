// The codec: RFC 8949's own examples, canonical form, and input that is none.

import assert from "node:assert/strict";
import test from "node:test";
import { Float, Simple, Tagged, decodeCbor, encodeCbor } from "../index.js";

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value) => Buffer.from(encodeCbor(value)).toString("hex");

// RFC 8949, appendix A, and the edges of each form.
const VALUES = [
  [0, "00"], [23, "17"], [24, "1818"], [255, "18ff"], [256, "190100"], [65536, "1a00010000"],
  [1000000000000, "1b000000e8d4a51000"], [2 ** 53 - 1, "1b001fffffffffffff"], [2n ** 53n, "1b0020000000000000"],
  [2n ** 64n - 1n, "1bffffffffffffffff"], [-1, "20"], [-24, "37"], [-25, "3818"], [-(2 ** 53) + 1, "3b001ffffffffffffe"],
  [-(2n ** 53n), "3b001fffffffffffff"], [-(2n ** 64n), "3bffffffffffffffff"],
  [new Float(0), "f90000"], [-0, "f98000"], [new Float(1), "f93c00"], [1.1, "fb3ff199999999999a"], [1.5, "f93e00"],
  [new Float(65504), "f97bff"], [new Float(65505), "fa477fe100"], [new Float(100000), "fa47c35000"], [3.4028234663852886e38, "fa7f7fffff"],
  [1e300, "fb7e37e43c8800759c"], [5.960464477539063e-8, "f90001"], [0.00006103515625, "f90400"], [6.097555160522461e-5, "f903ff"],
  [2.98023223876953125e-8, "fa33000000"], [-4.1, "fbc010666666666666"], [Infinity, "f97c00"], [-Infinity, "f9fc00"], [NaN, "f97e00"],
  [0.9999999999999999, "fb3fefffffffffffff"], [false, "f4"], [true, "f5"], [null, "f6"], [undefined, "f7"],
  [new Simple(16), "f0"], [new Simple(255), "f8ff"], [new Tagged(1, 1363896240), "c11a514b67b0"],
  [new Uint8Array(), "40"], [new Uint8Array([1, 2, 3, 4]), "4401020304"], ["", "60"], ["IETF", "6449455446"], ["ü", "62c3bc"],
  ["水", "63e6b0b4"], ["𐅑", "64f0908591"], ["\0\ufeffx", "6500efbbbf78"], [[], "80"], [[1, [2, 3], [4, 5]], "8301820203820405"], [{}, "a0"],
  [{ a: 1, b: [2, 3] }, "a26161016162820203"], [new Map([[1, 2], [3, 4]]), "a201020304"],
];

test("every value is written in its one form and read back as itself", () => {
  for (const [value, form] of VALUES) {
    assert.equal(hex(value), form);
    assert.deepEqual(decodeCbor(bytes(form)), value, form);
  }
});

test("what is not in canonical form is read all the same", () => {
  for (const [form, value] of [
    ["1800", 0], ["1b0000000000000005", 5], ["fb3ff0000000000000", new Float(1)], ["fa7fc00001", NaN],
    ["5f42010243030405ff", new Uint8Array([1, 2, 3, 4, 5])], ["7f657374726561646d696e67ff", "streaming"],
    ["9f018202039f0405ffff", [1, [2, 3], [4, 5]]], ["bf61610161629f0203ffff", { a: 1, b: [2, 3] }],
  ]) assert.deepEqual(decodeCbor(bytes(form)), value, form);
});

test("keys are in the order of their bytes, not of UTF-16 and not of the object", () => {
  const object = { "\u{1d11e}": 1, "\uffee": 2, aa: 3, b: 4, 10: 5, 9: 6 };
  assert.equal(hex(object), "a6613906616204623130056261610363efbfae0264f09d849e01");
});

test("a key that means something to JavaScript is a key like any other", () => {
  const form = "a1695f5f70726f746f5f5fa1617801";
  const object = decodeCbor(bytes(form));
  assert.deepEqual(Object.keys(object), ["__proto__"]);
  assert.equal(object.x, undefined);
  assert.equal(hex(object), form);
});

test("what is malformed is an error that says why", () => {
  for (const [form, message] of [
    ["", /ends too early/], ["18", /ends too early/], ["1b00000000", /ends too early/], ["62c3", /ends too early/],
    ["5b7fffffffffffffff00", /ends too early/], ["9b7fffffffffffffff00", /ends too early/], ["bb00000000ffffffff00", /ends too early/],
    ["1c", /reserved/], ["3e", /reserved/], ["fc", /reserved/], ["f818", /in two bytes/], ["ff", /a break/], ["9fa1ff00", /a break/],
    ["61ff", /not UTF-8/], ["63eda080", /not UTF-8/], ["0000", /1 bytes behind/], ["a2616101616102", /same key twice/],
    ["a201020103", /same key twice/], ["5f6161ff", /another type/], ["9f", /ends too early/], ["5f", /ends too early/],
    ["81".repeat(300) + "00", /deeper than 256/], ["9f".repeat(300), /deeper than 256/],
  ]) assert.throws(() => decodeCbor(bytes(form)), message, form);
});

test("random bytes are read or refused, and never hang", () => {
  let seed = 7;
  const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  for (let i = 0; i < 20_000; i++) {
    const input = Uint8Array.from({ length: random() % 24 }, random);
    let value;
    try {
      value = decodeCbor(input);
    } catch (error) {
      assert.ok(error instanceof Error);
      continue;
    }
    assert.deepEqual(decodeCbor(encodeCbor(value)), value, Buffer.from(input).toString("hex"));
  }
});

test("128 levels and more are read and written", () => {
  const deep = "81".repeat(200) + "00";
  assert.equal(hex(decodeCbor(bytes(deep))), deep);
});

test("what CBOR cannot say is an error", () => {
  const circle = [];
  circle.push(circle);
  for (const [value, message] of [
    [2n ** 64n, /does not fit 64 bits/], [-(2n ** 64n) - 1n, /does not fit 64 bits/], [() => 1, /type function/], [Symbol(), /type symbol/],
    [new Set(), /class Set/], ["\ud800", /surrogate/], [circle, /in a circle/], [new Simple(24), /no simple value/],
  ]) assert.throws(() => encodeCbor(value), message);
  assert.equal(hex(new Date(0)), hex("1970-01-01T00:00:00.000Z"));
});
