// The conformance upcaster in TypeScript: ../../../README.md says what each step does and why.

import { Float, fail, upcaster } from "../polyfold/index.js";

/** A sample or specimen; fields that are not named here stay as they are. */
interface Sample {
  fail?: string | null;
  int?: number | bigint;
  float?: number | Float | null;
  text?: string | null;
  [others: string]: unknown;
}

export default upcaster<Sample>({
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

function withInteger({ int, ...others }: Sample): Sample {
  return int === undefined ? others : { ...others, integer: int };
}

function withMeasure({ float, ...others }: Sample): Sample {
  return float == null ? others : { ...others, measure: { value: new Float(float) } };
}

function withTexts({ text, ...others }: Sample): Sample {
  return text == null ? others : { ...others, texts: [text] };
}
