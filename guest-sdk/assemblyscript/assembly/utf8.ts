/** Text between UTF-8, which the host and CBOR speak, and UTF-16, which AssemblyScript's strings are. */

/** Bytes in memory: where they start, and how many there are. */
@unmanaged
export class Slice {
  pointer: usize;
  length: usize;
}

/** Reads text. Returns null for what is not UTF-8. */
export function decode(pointer: usize, length: usize): string | null {
  return isAscii(pointer, length) ? widen(pointer, length) : decodeAny(pointer, length);
}

/** Reads text of which the host has already said that it is UTF-8. */
export function decodeTrusted(pointer: usize, length: usize): string {
  const text = decode(pointer, length);
  return text === null ? "" : text;
}

function isAscii(pointer: usize, length: usize): bool {
  const end = pointer + length;
  while (pointer + 8 <= end) {
    if (load<u64>(pointer) & 0x8080_8080_8080_8080) return false;
    pointer += 8;
  }
  while (pointer < end) {
    if (load<u8>(pointer) & 0x80) return false;
    pointer++;
  }
  return true;
}

function allocate(units: usize): usize {
  return __new(units << 1, idof<string>());
}

function widen(pointer: usize, length: usize): string {
  const text = allocate(length);
  const end = pointer + length;
  let to = text;
  while (pointer + 4 <= end) {
    const four = <u64>load<u32>(pointer);
    store<u64>(to, (four & 0xff) | ((four & 0xff00) << 8) | ((four & 0xff_0000) << 16) | ((four & 0xff00_0000) << 24));
    pointer += 4;
    to += 8;
  }
  while (pointer < end) {
    store<u16>(to, load<u8>(pointer));
    pointer++;
    to += 2;
  }
  return changetype<string>(text);
}

function decodeAny(pointer: usize, length: usize): string | null {
  const end = pointer + length;
  // A byte makes at most one unit.
  const scratch = heap.alloc(length << 1);
  let to = scratch;
  while (pointer < end) {
    const first = <u32>load<u8>(pointer);
    if (first < 0x80) {
      store<u16>(to, first);
      pointer++;
      to += 2;
      continue;
    }
    const more: usize = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || pointer + more >= end) return null;
    let point = first & (0x3f >> (<u32>more));
    for (let i: usize = 1; i <= more; i++) {
      const next = <u32>load<u8>(pointer + i);
      if ((next & 0xc0) != 0x80) return null;
      point = (point << 6) | (next & 0x3f);
    }
    // Longer than needed, a surrogate, or beyond Unicode.
    if (more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) return null;
    if (more == 3 && (point < 0x1_0000 || point > 0x10_ffff)) return null;
    pointer += more + 1;
    if (point < 0x1_0000) {
      store<u16>(to, point);
      to += 2;
    } else {
      store<u16>(to, 0xd7c0 + (point >> 10));
      store<u16>(to, 0xdc00 | (point & 0x3ff), 2);
      to += 4;
    }
  }
  const text = __new(to - scratch, idof<string>());
  memory.copy(text, scratch, to - scratch);
  return changetype<string>(text);
}

/** How many bytes a text has in UTF-8. */
export function utf8Length(text: string): i32 {
  let bytes = 0;
  for (let i = 0, length = text.length; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes++;
    else if (unit < 0x800) bytes += 2;
    else if (isPair(text, i)) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** How many Unicode code points a text has. */
export function codePoints(text: string): i32 {
  let points = 0;
  for (let i = 0, length = text.length; i < length; i++) {
    if (isPair(text, i)) i++;
    points++;
  }
  return points;
}

function isPair(text: string, index: i32): bool {
  if ((text.charCodeAt(index) & 0xfc00) != 0xd800 || index + 1 >= text.length) return false;
  return (text.charCodeAt(index + 1) & 0xfc00) == 0xdc00;
}

/** Writes a text to memory, which must have room for 3 bytes a unit. Returns where it ends. */
export function encodeTo(text: string, to: usize): usize {
  for (let i = 0, length = text.length; i < length; i++) {
    const unit = <u32>text.charCodeAt(i);
    if (unit < 0x80) {
      store<u8>(to++, unit);
    } else if (unit < 0x800) {
      store<u8>(to++, 0xc0 | (unit >> 6));
      store<u8>(to++, 0x80 | (unit & 0x3f));
    } else if (isPair(text, i)) {
      const point = ((unit - 0xd7c0) << 10) | (<u32>text.charCodeAt(++i) & 0x3ff);
      store<u8>(to++, 0xf0 | (point >> 18));
      store<u8>(to++, 0x80 | ((point >> 12) & 0x3f));
      store<u8>(to++, 0x80 | ((point >> 6) & 0x3f));
      store<u8>(to++, 0x80 | (point & 0x3f));
    } else {
      // Half a pair is no text: the host would trap on it.
      const shown = (unit & 0xf800) == 0xd800 ? 0xfffd : unit;
      store<u8>(to++, 0xe0 | (shown >> 12));
      store<u8>(to++, 0x80 | ((shown >> 6) & 0x3f));
      store<u8>(to++, 0x80 | (shown & 0x3f));
    }
  }
  return to;
}

/** Writes a text to memory of its own. */
export function encode(text: string, into: Slice): void {
  into.pointer = heap.alloc(text.length * 3);
  into.length = encodeTo(text, into.pointer) - into.pointer;
}

/** Writes a text to memory of its own, and where it lies to `at`, as the ABI has it. */
export function storeText(at: usize, text: string): void {
  encode(text, changetype<Slice>(at));
}

/** Whether the bytes are this text. */
export function equals(pointer: usize, length: usize, text: string): bool {
  const units = <usize>text.length;
  // A unit makes one to three bytes.
  if (length < units || length > units * 3) return false;
  for (let i: usize = 0; i < units; i++) {
    const unit = <u32>load<u16>(changetype<usize>(text) + (i << 1));
    if (unit >= 0x80) return equalsAny(pointer, length, text);
    if (unit != <u32>load<u8>(pointer + i)) return false;
  }
  return length == units;
}

function equalsAny(pointer: usize, length: usize, text: string): bool {
  const written = changetype<Slice>(heap.alloc(offsetof<Slice>()));
  encode(text, written);
  return written.length == length && memory.compare(written.pointer, pointer, length) == 0;
}
