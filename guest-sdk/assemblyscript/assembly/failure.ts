/** The reason why the call in hand fails, if it does. */

let reason: string | null = null;

/**
 * Refuses the event in hand, with exactly this message: the call ends as an error, and all its changes are dropped.
 *
 * AssemblyScript has no exceptions, so this comes back to you: return after it. The first message counts. (A `throw` is a
 * trap: the event is refused, too, and message, file and line stand among the fault's log messages.)
 */
export function fail(message: string): void {
  if (reason === null) reason = message;
}

/** Whether the call in hand has failed: what was read since then is nothing but zeros and empty texts. */
export function failed(): bool {
  return reason !== null;
}

/** Why the call in hand has failed; an empty text if it has not. */
export function failure(): string {
  const message = reason;
  return message === null ? "" : message;
}
