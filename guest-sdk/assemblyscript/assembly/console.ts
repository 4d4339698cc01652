/** What AssemblyScript's programs print with, made to log: a plugin has no terminal. */

import { Level, log } from "./log";

/** Takes the place of the compiler's own `console`, by the option `use` in asconfig.json. */
export class console {
  static log(message: string = ""): void {
    log.write(Level.Info, message);
  }

  static debug(message: string = ""): void {
    log.write(Level.Debug, message);
  }

  static info(message: string = ""): void {
    log.write(Level.Info, message);
  }

  static warn(message: string = ""): void {
    log.write(Level.Warn, message);
  }

  static error(message: string = ""): void {
    log.write(Level.Error, message);
  }
}

/** Takes the place of the compiler's own `trace`: a message and up to five numbers. */
export function trace(
  message: string,
  n: i32 = 0,
  a0: f64 = 0,
  a1: f64 = 0,
  a2: f64 = 0,
  a3: f64 = 0,
  a4: f64 = 0,
): void {
  const numbers = [a0, a1, a2, a3, a4].slice(0, n);
  log.write(Level.Trace, n > 0 ? `${message} ${numbers.join(" ")}` : message);
}
