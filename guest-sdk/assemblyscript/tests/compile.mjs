// Compiles the plugins that the kit's tests run, with the compiler that `polyfold plugin build` fetches.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KIT = fileURLToPath(new URL("..", import.meta.url));

function compiler() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const tools = process.env.POLYFOLD_TOOLS || join(cache, "polyfold", "tools");
  const asc = join(tools, "assemblyscript-0.28.20", "node_modules", "assemblyscript", "bin", "asc.js");
  if (!existsSync(asc)) throw new Error(`${asc} is missing: \`polyfold plugin build\` of any AssemblyScript plugin fetches it`);
  return asc;
}

/** Compiles tests/guests/NAME.ts as a project would, and returns the plugin's path. */
export function compile(name) {
  const project = mkdtempSync(join(tmpdir(), "polyfold-assemblyscript-"));
  symlinkSync(KIT, join(project, "polyfold"));
  symlinkSync(join(KIT, "tests", "guests"), join(project, "assembly"));
  const config = ["--config", "polyfold/asconfig.json", "--target", "release", "--transform", "./polyfold/transform.mjs"];
  const args = [compiler(), `assembly/${name}.ts`, "--outFile", `${name}.wasm`, ...config];
  execFileSync(process.execPath, args, { cwd: project, stdio: ["ignore", "inherit", "inherit"] });
  return join(project, `${name}.wasm`);
}
