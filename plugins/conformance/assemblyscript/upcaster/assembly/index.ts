/** The conformance upcaster in AssemblyScript: see ../../../README.md, the specification. */

import { Event, exportUpcaster, fail, Payload, Upcaster, UpcasterManifest, Value } from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/upcaster";

class ConformanceV2 extends Upcaster {
  describe(): UpcasterManifest {
    return new UpcasterManifest("conformance-v2", "1.0.0", "what every language must lift alike")
      .step("sample", 1)
      .step("sample", 2)
      .renamingStep("specimen", 1, "sample");
  }

  upcast(event: Event, payload: Payload): void {
    const message = payload.takeIfPresent("fail");
    if (message !== null) return fail(message.text());
    if (event.schemaVersion == 1) {
      lift(payload);
      if (event.type == "specimen") payload.put("was", "specimen");
    } else {
      payload.put("lifted", 2);
      const text = payload.takeIfPresent("text");
      if (text !== null) payload.put("texts", [Value.of(text.text())]);
    }
  }
}

function lift(payload: Payload): void {
  payload.put("lifted", 1);
  payload.rename("int", "integer");
  const float = payload.takeIfPresent("float");
  if (float !== null) payload.put("measure", Value.map().set("value", Value.of(float.float())));
}

exportUpcaster(new ConformanceV2());
