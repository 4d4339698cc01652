// The ops that count: sums, quotients and what can be said of floats.

import { type Event, Float, fail, state } from "../polyfold/index.js";

type Integer = number | bigint;
/** A float without a fraction comes as a `Float`. */
type Real = number | Float;

interface Sums {
  count: number;
  int: Integer;
  float: Real;
}

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

export function sum(event: Event, { key: name, int, float }: { key: string; int: Integer; float: Real }): void {
  const key = `sum/${name}`;
  const before = state.get<Sums>(key);
  const total = BigInt(int) + BigInt(before?.int ?? 0);
  if (total < I64_MIN || total > I64_MAX) fail(`${key} does not fit 64 bits`);
  // Not 0 + float at first: that would lose the sign of -0.0.
  const floats = before ? Number(before.float) + Number(float) : Number(float);
  state.put<Sums>(key, { count: (before?.count ?? 0) + 1, int: total, float: new Float(floats) });
}

export function divide(event: Event, { key, a, b }: { key: string; a: Integer; b: Integer }): void {
  // In BigInts, which divide exactly and towards zero.
  if (BigInt(b) === 0n) fail("division by zero");
  state.put(`divide/${key}`, { quotient: BigInt(a) / BigInt(b), remainder: BigInt(a) % BigInt(b) });
}

export function floats(event: Event, { key, values }: { key: string; values: Real[] }): void {
  if (values.length === 0) fail("no values");
  const [first, ...rest] = values.map(Number) as [number, ...number[]];
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
