/** What surrounds the call in hand. */

import { contextEnvelopeOf, contextParameters } from "./imports";
import { decodeTrusted, Slice } from "./utf8";

/** The bytes of an optional envelope in the ABI, and where its fields lie. */
const SIZE: usize = 88;
const ID: usize = 8;
const OCCURRED_AT: usize = 16;
const ACTOR: usize = 32;
const CAUSATION_ID: usize = 44;
const CORRELATION_ID: usize = 56;
const METADATA: usize = 68;
const TAGS: usize = 76;

/** The fields of an event that `Event` leaves out. */
export class Envelope {
  /** The producer's key for this event, unique in the log. */
  id: string = "";
  /** Whether its producer says when it happened, and when: in microseconds since 1970, negative before that. */
  hasOccurredAt: bool = false;
  occurredAt: i64 = 0;
  /** Who or what caused it. */
  actor: string | null = null;
  /** The id of the event or command that this one follows from. */
  causationId: string | null = null;
  /** The id shared by all events of one process or request. */
  correlationId: string | null = null;
  /** Further names and values, ordered by name. */
  metadata: Map<string, string> = new Map();
  /** Marks, in the producer's order. */
  tags: string[] = [];
}

export class context {
  /** The rest of an event of this call; null for any other sequence. */
  static envelope(sequence: u64): Envelope | null {
    const at = heap.alloc(SIZE);
    contextEnvelopeOf(sequence, at);
    if (load<u8>(at) == 0) return null;
    const envelope = new Envelope();
    envelope.id = text(at + ID);
    envelope.hasOccurredAt = load<u8>(at + OCCURRED_AT) != 0;
    if (envelope.hasOccurredAt) envelope.occurredAt = load<i64>(at + OCCURRED_AT + 8);
    envelope.actor = optionalText(at + ACTOR);
    envelope.causationId = optionalText(at + CAUSATION_ID);
    envelope.correlationId = optionalText(at + CORRELATION_ID);
    const metadata = changetype<Slice>(at + METADATA);
    for (let i: usize = 0; i < metadata.length; i++) {
      const pair = metadata.pointer + (i << 4);
      envelope.metadata.set(text(pair), text(pair + 8));
    }
    const tags = changetype<Slice>(at + TAGS);
    for (let i: usize = 0; i < tags.length; i++) envelope.tags.push(text(tags.pointer + (i << 3)));
    return envelope;
  }

  /** The projection's parameters, a JSON object as text; `{}` if none were given. */
  static parameters(): string {
    const answer = heap.alloc(offsetof<Slice>());
    contextParameters(answer);
    return text(answer);
  }
}

function text(at: usize): string {
  const slice = changetype<Slice>(at);
  return decodeTrusted(slice.pointer, slice.length);
}

function optionalText(at: usize): string | null {
  return load<u8>(at) == 0 ? null : text(at + 4);
}
