// Makes the module loader's stub in a built component harmless to a host that allows no module several memories.
//
// The builder composes two components: the engine, and a stub for the functions by which it loaded modules while it was
// built. Nobody calls them any more. But they pass text, and between two components that takes code with the memories of
// both. Here they get parameters that are plain numbers, of the same shape below (a text is two numbers, an answer's
// place one), so nothing needs a memory.

// As it comes: `resolve: func(referrer: string, specifier: string) -> result<string, string>` and
// `load: func(path: string) -> result<string, string>`, each up to the index of its result's type.
const RESOLVE = Buffer.concat([Buffer.from([0x40, 2]), name("referrer"), Buffer.from([0x73]), name("specifier"), Buffer.from([0x73, 0])]);
const LOAD = Buffer.concat([Buffer.from([0x40, 1]), name("path"), Buffer.from([0x73, 0])]);

// What they become, in the engine's component and in the stub.
const RESOLVE_BARE = numbers("a", "b", "c", "d", "e");
const LOAD_BARE = numbers("a", "b", "c");

// (component
//   (core module (func (export "r") (param i32 i32 i32 i32 i32) unreachable)
//                (func (export "l") (param i32 i32 i32) unreachable))
//   (core instance (instantiate 0))
//   (func (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32) (param "e" u32) (canon lift (core func 0 "r")))
//   (func (param "a" u32) (param "b" u32) (param "c" u32) (canon lift (core func 0 "l")))
//   (instance (export "resolve" (func 0)) (export "load" (func 1)))
//   (export "local:init/module-loader" (instance 0)))
const STUB = Buffer.from(
  "0061736d0d00010001340061736d01000000010f0260057f7f7f7f7f0060037f7f7f00030302000107090201720000016c00010a0902030000" +
  "0b0300000b020401000000071401400501617901627901637901647901657901000607010000010001720806010000000000070e0140030161" +
  "79016279016379010006070100000100016c0806010000010001051601010200077265736f6c7665010000046c6f616401010b1e0100186c6f" +
  "63616c3a696e69742f6d6f64756c652d6c6f61646572050000", "hex");

const TYPES = 7;
const COMPONENT = 4;
// The engine has more than a megabyte, the stub less than two kilobytes.
const STUB_BYTES_MAX = 10_000;

/** Returns the component with its loader's stub replaced. */
export function withoutLoader(component) {
  let changed = 0;
  const bare = (types) => {
    const after = replaced(replaced(types, RESOLVE, RESOLVE_BARE), LOAD, LOAD_BARE);
    if (after !== types) changed++;
    return after;
  };
  const result = mapSections(component, (id, content) => {
    if (id !== COMPONENT) return content;
    if (content.length > STUB_BYTES_MAX) return mapSections(content, (id, types) => (id === TYPES ? bare(types) : types));
    changed++;
    return STUB;
  });
  if (changed !== 2) throw new Error("the builder composes components in another way than version 0.4.5 does");
  return result;
}

/** Replaces a function's type, whose result is the one byte behind what is looked for. */
function replaced(types, before, after) {
  const at = types.indexOf(before);
  return at < 0 ? types : Buffer.concat([types.subarray(0, at), after, types.subarray(at + before.length + 1)]);
}

/** Goes through a component's sections: a byte says what it is, then come its length and its content. */
function mapSections(component, change) {
  const head = 8;
  const parts = [component.subarray(0, head)];
  for (let at = head; at < component.length; ) {
    const id = component[at];
    const { value: length, end } = readLength(component, at + 1);
    const content = change(id, component.subarray(end, end + length));
    parts.push(Buffer.from([id]), writeLength(content.length), content);
    at = end + length;
  }
  return Buffer.concat(parts);
}

function readLength(bytes, start) {
  let value = 0;
  for (let at = start, shift = 0; ; at++, shift += 7) {
    value += (bytes[at] & 0x7f) * 2 ** shift;
    if (bytes[at] < 0x80) return { value, end: at + 1 };
  }
}

function writeLength(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

function name(text) {
  return Buffer.concat([writeLength(text.length), Buffer.from(text)]);
}

/** The type of a function of numbers (u32) that answers nothing. */
function numbers(...names) {
  const parameters = names.map((parameter) => Buffer.concat([name(parameter), Buffer.from([0x79])]));
  return Buffer.concat([Buffer.from([0x40, names.length]), ...parameters, Buffer.from([1, 0])]);
}
