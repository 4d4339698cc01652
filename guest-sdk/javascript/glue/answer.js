// Between an exported function and a plugin: an error becomes the text that the host records.

import { errorText } from "../errors.js";

/** Calls, and throws what goes wrong as text, of which the component makes the error of its answer. */
export function answering(call) {
  try {
    return call();
  } catch (error) {
    throw errorText(error);
  }
}

/** The plugin that an author's file exports. */
export function checked(plugin, kind, file) {
  if (plugin?.kind === kind) return plugin;
  const what = plugin?.kind ? `is a plugin of kind ${plugin.kind}, and polyfold.toml says ${kind}`
    : `is no plugin: write \`export default ${kind === "upcaster" ? "upcaster" : "keyed"}({ ... })\``;
  throw new Error(`the default export of ${file} ${what}`);
}
