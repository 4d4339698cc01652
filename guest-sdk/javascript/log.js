// Messages for the plugin's author: those of a call that ends in a fault are kept and shown with it.

import { reach } from "./host.js";

const at = (level) => (message) => reach("logging").log(level, String(message));

export const log = {
  trace: at("trace"),
  debug: at("debug"),
  info: at("info"),
  warn: at("warn"),
  error: at("error"),
};
