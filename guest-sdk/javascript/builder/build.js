// Builds a plugin: lays kit and author's sources out under build/js, types stripped, and makes a component of them.
//
//   node polyfold/builder/build.js TOOLS KIND MAIN OUTPUT
//
// Types are replaced by spaces, so every line and column of a stack trace is that of the author's file.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { withoutLoader } from "./loader.js";

const KIT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAGE = join("build", "js");
// What of the kit belongs into a component.
const isSource = (name) => name.endsWith(".js") && !["testing.js", "typescript.js"].includes(name);

const [tools, kind, main, output] = process.argv.slice(2);
if (!output || !["projection", "upcaster"].includes(kind)) {
  stop("usage: node polyfold/builder/build.js TOOLS projection|upcaster MAIN OUTPUT");
}
const load = createRequire(join(resolve(tools), "package.json"));

rmSync(STAGE, { recursive: true, force: true });
for (const name of [...readdirSync(KIT).filter(isSource), "glue"]) cpSync(join(KIT, name), join(STAGE, "polyfold", name), { recursive: true });
stageSources(main.split("/")[0]);
const entry = join(STAGE, "entry.js");
const exporter = kind === "projection" ? "exportProjection" : "exportUpcaster";
writeFileSync(entry, `// Made by polyfold/builder/build.js: what the component exports.
import { ${exporter} } from "./polyfold/glue/${kind}.js";
import * as exported from "./${main}";
export const ${kind} = ${exporter}(exported.default, ${JSON.stringify(main)});
`);

const { componentize } = load("componentize-qjs");
try {
  const { component } = await componentize({
    witPath: join(KIT, "wit"),
    world: `${kind}-plugin`,
    jsSource: readFileSync(entry, "utf8"),
    jsPath: entry,
    moduleRoot: ".",
    // The host has no component-model async.
    sync: true,
  });
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, withoutLoader(component));
} catch (error) {
  stop(readable(error.message));
}

/** Copies a folder of sources, TypeScript without its types. */
function stageSources(folder) {
  for (const item of readdirSync(folder, { withFileTypes: true })) {
    const path = posix.join(folder, item.name);
    if (item.isDirectory()) {
      stageSources(path);
    } else if (/\.([cm]?js|json)$/.test(item.name)) {
      cpSync(path, join(STAGE, path));
    } else if (item.name.endsWith(".ts") && !item.name.endsWith(".d.ts")) {
      mkdirSync(join(STAGE, folder), { recursive: true });
      writeFileSync(join(STAGE, path), stripTypes(path, readFileSync(path, "utf8")));
    }
  }
}

function stripTypes(path, source) {
  try {
    return load("@swc/wasm-typescript").transformSync(source, { mode: "strip-only", filename: path }).code;
  } catch (error) {
    stop(`${path}:${error.startLine}:${error.startColumn + 1}: ${error.message}\n${error.snippet}`);
  }
}

/** The builder's message without its own layers, and with paths as the author has them. */
function readable(message) {
  const layers = /^(: |Error: |Failed to (evaluate user JavaScript module|declare JavaScript module|evaluate JavaScript module|finish JavaScript module evaluation): )+/;
  const text = message.replace(layers, "").replace(/(^|[\s'"(])\/build\/js\//g, "$1").trim();
  const missing = /^Error resolving module '(.+?)' from '(.+?)'/.exec(text);
  if (!missing) return text;
  const [, wanted, from] = missing;
  return `${from} imports "${wanted}", which is not there: ${wayOut(wanted)}`;
}

function wayOut(wanted) {
  if (/^\.{0,2}\//.test(wanted)) return "name the file with its ending, relative to the importing one";
  if (isBuiltin(wanted)) return "a plugin runs without Node, so it has no files, no network and none of Node's modules";
  return `\`npm install ${wanted}\` in this folder, if it is an ES module without imports from Node`;
}

function stop(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}
