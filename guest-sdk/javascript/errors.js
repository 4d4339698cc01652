// How a plugin refuses an event, and what the host is told of any other error.

/** The event is refused with exactly this message. */
export class Refusal extends Error {
  name = "Refusal";
}

/** Refuses the event: lower case, no full stop, naming the thing and the way out. */
export function fail(message) {
  throw new Refusal(message);
}

// Frames of the kit say nothing to an author, unless there are no others.
const KIT_FRAME = /\((polyfold\/|entry\.js)|at (polyfold\/|entry\.js)/;

// A chain of causes can go round in a circle.
const CAUSES_MAX = 8;

/** What the host is told of an error: a refusal's message alone, of any other error its name, message and stack. */
export function errorText(error, depth = 0) {
  if (error instanceof Refusal) return error.message;
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)).map(ofSource);
  const own = frames.filter((frame) => !KIT_FRAME.test(frame));
  const cause = error.cause === undefined || depth === CAUSES_MAX ? "" : `\ncaused by ${errorText(error.cause, depth + 1)}`;
  return [`${error.name}: ${error.message}`, ...(own.length ? own : frames)].join("\n") + cause;
}

// The builder lays sources out under this folder; what stands behind it is the path in the author's project.
function ofSource(frame) {
  return frame.replace("(/build/js/", "(").replace("at /build/js/", "at ");
}
