// The conformance upcaster in JavaScript: ../../../README.md says what each step does and why.

import { Float, fail, upcaster } from "../polyfold/index.js";

export default upcaster({
  name: "conformance-v2",
  version: "1.0.0",
  description: "what every language must lift alike",
  steps: [
    { eventType: "sample", schemaVersion: 1 },
    { eventType: "sample", schemaVersion: 2 },
    { eventType: "specimen", schemaVersion: 1, newEventType: "sample" },
  ],

  upcast(event, { fail: message, ...fields }) {
    if (message != null) fail(message);
    if (event.schemaVersion === 2) return withTexts({ ...fields, lifted: 2 });
    const lifted = withMeasure(withInteger({ ...fields, lifted: 1 }));
    return event.eventType === "specimen" ? { ...lifted, was: "specimen" } : lifted;
  },
});

function withInteger({ int, ...others }) {
  return int === undefined ? others : { ...others, integer: int };
}

function withMeasure({ float, ...others }) {
  return float == null ? others : { ...others, measure: { value: new Float(float) } };
}

function withTexts({ text, ...others }) {
  return text == null ? others : { ...others, texts: [text] };
}
