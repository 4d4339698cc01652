// Lifts orders from schema version 1 to 2: euros become cents, which are integers and add up exactly.

import { upcaster } from "../polyfold/index.js";

export default upcaster({
  name: "{{name}}",
  version: "0.1.0",
  description: "orders: cents in place of euros",
  steps: [{ eventType: "order.placed", schemaVersion: 1 }],

  upcast(event, { euros, ...others }) {
    return { ...others, cents: cents(Number(euros)) };
  },
});

// `Math.round` alone rounds the half of a negative number up, and `-size` would make a minus zero, which is a float.
function cents(euros) {
  const size = Math.round(Math.abs(euros) * 100);
  return euros < 0 ? 0 - size : size;
}
