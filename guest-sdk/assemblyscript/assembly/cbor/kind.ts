/** What a CBOR value can be. */

export enum Kind {
  Null,
  Bool,
  Integer,
  Float,
  Bytes,
  Text,
  Array,
  Map,
  Tag,
}

/** The name of a kind, for messages. */
export function kindName(kind: Kind): string {
  switch (kind) {
    case Kind.Null: return "null";
    case Kind.Bool: return "a boolean";
    case Kind.Integer: return "an integer";
    case Kind.Float: return "a float";
    case Kind.Bytes: return "bytes";
    case Kind.Text: return "a text";
    case Kind.Array: return "an array";
    case Kind.Map: return "a map";
    default: return "a tag";
  }
}

/** Major types, as they stand in the three high bits of an item's first byte. */
export namespace Major {
  export const UNSIGNED: u8 = 0;
  export const NEGATIVE: u8 = 1;
  export const BYTES: u8 = 2;
  export const TEXT: u8 = 3;
  export const ARRAY: u8 = 4;
  export const MAP: u8 = 5;
  export const TAG: u8 = 6;
}

/** Nesting that is still read; a stack overflow would not be the same on every machine. */
export const DEPTH_MAX: i32 = 128;
