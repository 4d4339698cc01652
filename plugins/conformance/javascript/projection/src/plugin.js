// The conformance projection in JavaScript: ../../../README.md says what each op does and why.

import { fail, projection } from "../polyfold/index.js";
import { divide, floats, sum } from "./numbers.js";
import * as store from "./store.js";
import { writeLog } from "./log.js";

const OPS = {
  ...{ sum, divide, floats },
  ...store,
  log: writeLog,
  fail: (event, { message }) => fail(message),
};

export default projection({
  name: "conformance",
  version: "1.0.0",
  description: "what every language must make of the same events",
  eventTypes: ["probe"],
  payloadEncoding: "cbor",
  stateEncoding: "cbor",
  views: [{ name: "echoes", prefix: "echo/", description: "values as they came" }],

  apply(events) {
    for (const event of events) {
      const { op } = event.payload;
      if (!Object.hasOwn(OPS, op)) fail(`unknown op ${op}`);
      OPS[op](event, event.payload);
    }
  },
});
