// Exports a projection to the host and gives it the host's functions. Only the builder imports this.

import "./runtime.js";
import * as context from "polyfold:plugin/context@0.1.0";
import * as logging from "polyfold:plugin/logging@0.1.0";
import * as state from "polyfold:plugin/state@0.1.0";
import { connect } from "../host.js";
import { answering, checked } from "./answer.js";

export function exportProjection(exported, file) {
  const plugin = checked(exported, "projection", file);
  connect({ state, context, logging, stateEncoding: plugin.manifest.stateEncoding });
  return {
    describe: () => plugin.manifest,
    apply: (events) => answering(() => plugin.apply(events)),
  };
}
