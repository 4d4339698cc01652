/** How the host calls an upcaster: a plugin's main file exports all of this, and transform.mjs gives it the ABI's names. */

import { done, EVENT_SIZE, refused } from "../abi";
import { Writer } from "../cbor/writer";
import { Event } from "../event";
import { failed } from "../failure";
import { Payload } from "../payload";
import { exportedUpcaster } from "../upcaster";

export { cabi_realloc } from "../abi";

export function upcaster_describe(): usize {
  return exportedUpcaster().describe().lower();
}

export function upcaster_upcast(list: usize, count: i32): usize {
  const payloads = heap.alloc(<usize>count * PAYLOAD_SIZE);
  for (let i = 0; i < count; i++) {
    const event = changetype<Event>(list + <usize>i * EVENT_SIZE);
    const payload = new Payload(event);
    if (!failed()) exportedUpcaster().upcast(event, payload);
    if (failed()) return refused();
    const writer = new Writer();
    payload.write(writer);
    const answer = payloads + <usize>i * PAYLOAD_SIZE;
    store<u8>(answer, 0);
    store<usize>(answer + 4, writer.pointer);
    store<usize>(answer + 8, writer.length);
  }
  return failed() ? refused() : done(payloads, count);
}

/** The bytes of a payload in the ABI: its encoding, and where it lies. */
const PAYLOAD_SIZE: usize = 12;
