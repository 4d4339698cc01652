// Gives the compiled functions the names under which the host looks for them, which no AssemblyScript source can spell.

/** Each function of the kit's, as the main file exports it, with its place in the kit and its name in the ABI. */
const EXPORTS = [
  ["projection_describe", "projection", "polyfold:plugin/projection@0.1.0#describe"],
  ["projection_apply", "projection", "polyfold:plugin/projection@0.1.0#apply"],
  ["upcaster_describe", "upcaster", "polyfold:plugin/upcaster@0.1.0#describe"],
  ["upcaster_upcast", "upcaster", "polyfold:plugin/upcaster@0.1.0#upcast"],
];

export default class {
  afterCompile(module) {
    for (const [name, file, abiName] of EXPORTS) {
      const internalName = `polyfold/assembly/exports/${file}/${name}`;
      if (!module.getFunction(internalName)) continue;
      module.removeExport(name);
      module.addFunctionExport(internalName, abiName);
    }
  }
}
