// Takes from a plugin what could differ between two runs or between two cuts of the batches: the clock and chance.

const NO_CLOCK = "a plugin has no clock: time is in its events, `event.recordedAt` or a field of the payload";
const NO_CHANCE = "a plugin has no random numbers: derive what you need from the event";

const forbidden = (message) => () => {
  throw new Error(message);
};

/** Replaces what is forbidden by functions that say so, and returns a function that puts it back. */
export function forbidClockAndChance() {
  const { Date, Math: { random }, performance } = globalThis;
  globalThis.Date = class extends Date {
    static name = "Date";
    static now = forbidden(NO_CLOCK);

    constructor(...parts) {
      if (parts.length === 0) throw new Error(NO_CLOCK);
      super(...parts);
    }
  };
  Math.random = forbidden(NO_CHANCE);
  const replaced = replace(globalThis, "performance", { now: forbidden(NO_CLOCK) });
  return () => {
    globalThis.Date = Date;
    Math.random = random;
    if (replaced) replace(globalThis, "performance", performance);
  };
}

function replace(object, name, value) {
  return name in object && Reflect.defineProperty(object, name, { value, configurable: true, writable: true });
}
