// The op that writes a message for the author.

import { type Event, fail, log } from "../polyfold/index.js";

export function writeLog(event: Event, { level, message }: { level: string; message: string }): void {
  if (!isLevel(level)) fail(`unknown level ${level}`);
  log[level](message);
}

function isLevel(level: string): level is keyof typeof log {
  return Object.hasOwn(log, level);
}
