// The ops that count: sums, quotients and what can be said of floats.

import { Float, fail, state } from "../polyfold/index.js";

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

export function sum(event, { key: name, int, float }) {
  const key = `sum/${name}`;
  const before = state.get(key);
  const total = BigInt(int) + BigInt(before?.int ?? 0);
  if (total < I64_MIN || total > I64_MAX) fail(`${key} does not fit 64 bits`);
  // Not 0 + float at first: that would lose the sign of -0.0.
  const floats = before ? Number(before.float) + Number(float) : Number(float);
  state.put(key, { count: (before?.count ?? 0) + 1, int: total, float: new Float(floats) });
}

export function divide(event, { key, a, b }) {
  // In BigInts, which divide exactly and towards zero.
  if (BigInt(b) === 0n) fail("division by zero");
  state.put(`divide/${key}`, { quotient: BigInt(a) / BigInt(b), remainder: BigInt(a) % BigInt(b) });
}

export function floats(event, { key, values }) {
  if (values.length === 0) fail("no values");
  const [first, ...rest] = values.map(Number);
  const sum = rest.reduce((sum, value) => sum + value, first);
  state.put(`floats/${key}`, {
    sum: new Float(sum),
    mean: new Float(sum / values.length),
    // NaN if any is, and -0.0 before 0.0: as the specification has it.
    min: new Float(rest.reduce((least, value) => Math.min(least, value), first)),
    max: new Float(rest.reduce((most, value) => Math.max(most, value), first)),
    root: new Float(Math.sqrt(Math.abs(first))),
  });
}
