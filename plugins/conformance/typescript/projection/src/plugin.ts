// The conformance projection in TypeScript: ../../../README.md says what each op does and why.

import { type Event, fail, projection } from "../polyfold/index.js";
import { divide, floats, sum } from "./numbers.ts";
import * as store from "./store.ts";
import { writeLog } from "./log.ts";

type Op = (event: Event, payload: any) => void;

const OPS: Record<string, Op> = {
  ...{ sum, divide, floats },
  ...store,
  log: writeLog,
  fail: (event, { message }) => fail(message),
};

export default projection<{ op: string }>({
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
      OPS[op]!(event, event.payload);
    }
  },
});
