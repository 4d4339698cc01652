/** What happens at a `throw`, a failed assertion, an index out of range: the reason is logged, then the call traps. */

import { failed, failure } from "./failure";
import { Level, log } from "./log";

let isAborting: bool = false;

/** Takes the place of the compiler's own `abort`, by the option `use` in asconfig.json. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  // Out of memory, the message itself could bring us back here.
  if (!isAborting) {
    isAborting = true;
    const what = message === null ? "abort" : message;
    const where = file === null ? "" : ` (${file}:${line}:${column})`;
    log.write(Level.Error, what + where);
    if (failed()) log.write(Level.Error, `it went on after it had failed: ${failure()}`);
  }
  unreachable();
}
