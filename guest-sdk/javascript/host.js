// The host's functions, as the plugin in hand reaches them: inside a component the glue connects them, in a test the
// harness does for each call.

/** `{ state, context, logging, stateForm }`, or null outside of a call in a test. */
export let host = null;

/** Puts other functions in place and returns those that were there. */
export function connect(functions) {
  const before = host;
  host = functions;
  return before;
}

/** The functions of one interface, or an error that says why there are none. */
export function reach(name) {
  const functions = host?.[name];
  if (functions) return functions;
  throw new Error(host ? `an upcaster has no ${name}: its answer follows from the event alone`
    : `there is no host to ask for ${name}: call plugins by the Harness of polyfold/testing.js`);
}
