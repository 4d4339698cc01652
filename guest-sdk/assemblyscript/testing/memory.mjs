// The canonical ABI in a plugin's memory: a text or a list is a pointer and a length, an option has a byte before it.

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A plugin's memory. It may grow with every call into the plugin, so nothing of it is kept. */
export class Memory {
  constructor(exports) {
    this.exports = exports;
  }

  get view() {
    return new DataView(this.exports.memory.buffer);
  }

  /** Makes room in the plugin. */
  allocate(size, align = 8) {
    return this.exports.cabi_realloc(0, 0, align, size) >>> 0;
  }

  u8(at) {
    return this.view.getUint8(at);
  }

  u32(at) {
    return this.view.getUint32(at, true);
  }

  setU8(at, value) {
    this.view.setUint8(at, value);
  }

  setU32(at, value) {
    this.view.setUint32(at, value, true);
  }

  setU64(at, value) {
    this.view.setBigInt64(at, BigInt(value), true);
  }

  bytesAt(pointer, length) {
    return new Uint8Array(this.exports.memory.buffer, pointer >>> 0, length >>> 0).slice();
  }

  textAt(pointer, length) {
    return utf8.decode(this.bytesAt(pointer, length));
  }

  bytes(at) {
    return this.bytesAt(this.u32(at), this.u32(at + 4));
  }

  text(at) {
    return utf8.decode(this.bytes(at));
  }

  /** Reads a list whose items have `size` bytes, each by `read(at)`. */
  list(at, size, read) {
    return this.listAt(this.u32(at), this.u32(at + 4), size, read);
  }

  listAt(pointer, length, size, read) {
    return Array.from({ length: length >>> 0 }, (_, index) => read((pointer >>> 0) + index * size));
  }

  setBytes(at, bytes) {
    const pointer = this.allocate(bytes.length, 1);
    new Uint8Array(this.exports.memory.buffer).set(bytes, pointer);
    this.setU32(at, pointer);
    this.setU32(at + 4, bytes.length);
  }

  setText(at, text) {
    this.setBytes(at, new TextEncoder().encode(text));
  }

  setList(at, items, size, write) {
    const pointer = this.allocate(items.length * size);
    items.forEach((value, index) => write(pointer + index * size, value));
    this.setU32(at, pointer);
    this.setU32(at + 4, items.length);
  }

  /** Writes an option whose value stands `offset` bytes behind its first. */
  setOption(at, value, offset, write) {
    const isSome = value !== undefined && value !== null;
    this.setU8(at, isSome ? 1 : 0);
    if (isSome) write(at + offset, value);
  }
}
