// A loader hook for Node that takes the types out of TypeScript, with the same tool as a build.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
const tools = process.env.POLYFOLD_TOOLS || join(cache, "polyfold", "tools");
const toolchain = join(tools, "componentize-qjs-0.4.5", "package.json");

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  const source = await readFile(filename, "utf8");
  return { format: "module", shortCircuit: true, source: stripper().transformSync(source, { mode: "strip-only", filename }).code };
}

function stripper() {
  try {
    return createRequire(toolchain)("@swc/wasm-typescript");
  } catch (error) {
    throw new Error(`this Node cannot run TypeScript by itself: run \`polyfold plugin build\` once, which fetches what can, or use Node 22.18 or newer`, { cause: error });
  }
}
