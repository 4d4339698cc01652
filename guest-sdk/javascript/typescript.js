// Lets `node --import ./polyfold/typescript.js --test` run TypeScript, also on a Node that does not by itself.

import { register } from "node:module";

// Node does it since 22.18.
if (!process.features.typescript) register("./testing/strip-types.js", import.meta.url);
