/** Lifts orders from schema version 1 to 2: whole cents in place of euros. */

import { Event, exportUpcaster, Payload, Upcaster, UpcasterManifest } from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/upcaster";

class OrdersV2 extends Upcaster {
  describe(): UpcasterManifest {
    return new UpcasterManifest("{{name}}", "0.1.0", "orders: cents in place of euros")
      .step("order.placed", 1); // takes version 1, makes version 2
  }

  upcast(_event: Event, payload: Payload): void {
    const euros = payload.take("euros").float();
    payload.put("cents", rounded(euros * 100)); // all other fields stay, bit by bit
  }
}

/** The nearest integer; half a cent goes away from zero. (`Math.round` takes -0.5 up.) */
function rounded(cents: f64): i64 {
  const whole = Math.trunc(cents);
  const rest = cents - whole;
  return <i64>(rest >= 0.5 ? whole + 1 : rest <= -0.5 ? whole - 1 : whole);
}

exportUpcaster(new OrdersV2());
