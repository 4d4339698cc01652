/** What both kinds of plugin have in common at the border to the host. */

// Not called by name, so they must be asked for.
import "./abort";
import "./console";
import { failure } from "./failure";
import { storeText } from "./utf8";

/** How the host gets memory for what it hands over. The instance ends with the call, so nothing is given back. */
export function cabi_realloc(old: usize, oldSize: usize, _align: usize, size: usize): usize {
  // The stub runtime aligns to 16, and takes care that this never meets what the program itself allocates.
  const memory_ = heap.alloc(size);
  if (oldSize > 0) memory.copy(memory_, old, min(oldSize, size));
  return memory_;
}

/** The answer of a call that failed. */
export function refused(): usize {
  const answer = heap.alloc(12);
  store<u8>(answer, 1);
  storeText(answer + 4, failure());
  return answer;
}

/** The answer of a call that succeeded, with a list or with nothing. */
export function done(list: usize, count: usize): usize {
  const answer = heap.alloc(12);
  store<u8>(answer, 0);
  store<usize>(answer + 4, list);
  store<usize>(answer + 8, count);
  return answer;
}

/** The bytes of an event in the ABI. */
export const EVENT_SIZE: usize = 64;
