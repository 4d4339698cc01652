// Every template is a project whose own tests pass, as somebody has it who has just made it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const KIT = dirname(dirname(fileURLToPath(import.meta.url)));
const NOT_VENDORED = ["templates", "tests"];

for (const language of ["javascript", "typescript"]) {
  for (const kind of ["projection", "upcaster"]) {
    test(`a new ${kind} in ${language} passes its tests`, () => {
      const project = mkdtempSync(join(tmpdir(), "polyfold-"));
      try {
        write(project, language, kind);
        // Without the variable, the tests inside would report to this run in a form of its own.
        const { NODE_TEST_CONTEXT: _, ...env } = process.env;
        const run = spawnSync("npm", ["test"], { cwd: project, encoding: "utf8", env });
        assert.equal(run.status, 0, run.stdout + run.stderr);
        assert.match(run.stdout, /pass 3/);
      } finally {
        rmSync(project, { recursive: true });
      }
    });
  }
}

function write(project, language, kind) {
  cpSync(join(KIT, "templates", language, kind), project, { recursive: true });
  const vendored = (path) => !NOT_VENDORED.includes(basename(path)) || dirname(path) !== KIT;
  cpSync(KIT, join(project, "polyfold"), { recursive: true, filter: vendored });
  for (const name of readdirSync(project, { recursive: true })) {
    const path = join(project, name);
    if (name.startsWith("polyfold") || !statSync(path).isFile()) continue;
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("{{name}}", "trial"));
    if (name.endsWith(".in")) renameSync(path, path.slice(0, -3));
  }
}
