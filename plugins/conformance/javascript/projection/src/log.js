// The op that writes a message for the author.

import { fail, log } from "../polyfold/index.js";

export function writeLog(event, { level, message }) {
  if (!Object.hasOwn(log, level)) fail(`unknown level ${level}`);
  log[level](message);
}
