/** Messages for the plugin's author. */

import { loggingLog } from "./imports";
import { encode, Slice } from "./utf8";

/** How much a message matters. */
export enum Level {
  Trace,
  Debug,
  Info,
  Warn,
  Error,
}

/**
 * Messages that are kept and shown with a fault of this call, and dropped with any other. What is longer than 4 KiB is
 * cut, and after 100 messages in one call the rest is dropped and counted.
 */
export class log {
  static write(level: Level, message: string): void {
    const text = changetype<Slice>(heap.alloc(offsetof<Slice>()));
    encode(message, text);
    loggingLog(level, text.pointer, text.length);
  }

  static trace(message: string): void {
    log.write(Level.Trace, message);
  }

  static debug(message: string): void {
    log.write(Level.Debug, message);
  }

  static info(message: string): void {
    log.write(Level.Info, message);
  }

  static warn(message: string): void {
    log.write(Level.Warn, message);
  }

  static error(message: string): void {
    log.write(Level.Error, message);
  }
}
