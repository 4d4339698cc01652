// Exports an upcaster to the host and gives it the host's functions. Only the builder imports this.

import "./runtime.js";
import * as logging from "polyfold:plugin/logging@0.1.0";
import { connect } from "../host.js";
import { answering, checked } from "./answer.js";

export function exportUpcaster(exported, file) {
  const plugin = checked(exported, "upcaster", file);
  connect({ logging });
  return {
    describe: () => plugin.manifest,
    upcast: (events) => answering(() => plugin.upcast(events)),
  };
}
