// What surrounds the call in hand.

import { reach } from "./host.js";
import { parseJson } from "./json.js";

/** A time; a BigInt where it is so far away that a number would be taken for a float. */
const exact = (time) => (time == null ? null : Number.isSafeInteger(time) ? time : BigInt(time));

export const context = {
  /** The rest of an event of this call; undefined for any other sequence. */
  envelopeOf(sequence) {
    const envelope = reach("context").envelopeOf(sequence);
    if (envelope == null) return undefined;
    return {
      id: envelope.id,
      occurredAt: exact(envelope.occurredAt),
      actor: envelope.actor ?? null,
      causationId: envelope.causationId ?? null,
      correlationId: envelope.correlationId ?? null,
      metadata: new Map(envelope.metadata),
      tags: envelope.tags,
    };
  },

  /** The projection's parameters, `{}` if its owner gave none. */
  parameters: () => parseJson(context.parametersText()),

  /** The same as the text that the host gives. */
  parametersText: () => reach("context").parameters(),
};
