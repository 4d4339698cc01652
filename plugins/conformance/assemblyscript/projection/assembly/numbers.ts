/** The ops that count: sums, quotients and what can be said of floats. */

import { fail, failed, Fields, state, Value } from "../polyfold/assembly";

export function sum(fields: Fields): void {
  const key = "sum/" + fields.text("key");
  const int = fields.value("int");
  const float = fields.float("float");
  if (failed()) return;
  const before = state.get(key);
  const from = before === null ? 0 : field(before, "int").asInteger();
  if (!fits(from, int)) return fail(`${key} does not fit 64 bits`);
  // Wraps on its way perhaps, but not in the end.
  const total = from + (int.isNegative ? ~(<i64>int.bits) : <i64>int.bits);
  const after = Value.map().set("int", Value.of(total));
  if (before === null) {
    // Not 0.0 + float: that would lose the sign of -0.0.
    after.set("count", Value.of(1)).set("float", Value.of(float));
  } else {
    after.set("count", Value.of(field(before, "count").asInteger() + 1));
    after.set("float", Value.of(field(before, "float").asFloat() + float));
  }
  state.put(key, after);
}

/** Whether the sum fits 64 bits with a sign. `int` itself may have 65. */
function fits(from: i64, int: Value): bool {
  if (int.isNegative) {
    // from - 1 - bits is -2^63 or more.
    return from != i64.MIN_VALUE && int.bits <= <u64>(from - 1) - <u64>i64.MIN_VALUE;
  }
  return int.bits <= <u64>i64.MAX_VALUE - <u64>from;
}

function field(value: Value, name: string): Value {
  const found = value.get(name);
  if (found !== null) return found;
  fail(`missing field "${name}"`);
  return Value.null();
}

export function divide(fields: Fields): void {
  const key = fields.text("key");
  const a = fields.integer("a");
  const b = fields.integer("b");
  if (failed()) return;
  if (b == 0) return fail("division by zero");
  // The one quotient that does not fit 64 bits with a sign, on which WebAssembly traps.
  const isBeyond = a == i64.MIN_VALUE && b == -1;
  const quotient = isBeyond ? Value.of(<u64>1 << 63) : Value.of(a / b);
  const remainder = isBeyond ? 0 : a % b;
  state.put("divide/" + key, Value.map().set("quotient", quotient).set("remainder", Value.of(remainder)));
}

export function floats(fields: Fields): void {
  const key = fields.text("key");
  const values = fields.reader("values");
  const count = values.array();
  if (failed()) return;
  if (count == 0) return fail("no values");
  const first = values.float();
  let sum = first;
  let least = first;
  let greatest = first;
  for (let i = 1; i < count; i++) {
    const value = values.float();
    sum += value;
    // WebAssembly's own: NaN if one is NaN, and -0.0 is less than 0.0.
    least = min(least, value);
    greatest = max(greatest, value);
  }
  const facts = Value.map()
    .set("sum", Value.of(sum))
    .set("mean", Value.of(sum / <f64>count))
    .set("min", Value.of(least))
    .set("max", Value.of(greatest))
    .set("root", Value.of(Math.sqrt(Math.abs(first))));
  state.put("floats/" + key, facts);
}
