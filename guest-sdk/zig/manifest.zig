//! What a plugin says of itself.

pub const PayloadEncoding = enum(u8) { cbor, json };
pub const StateEncoding = enum(u8) { cbor, json, text, bytes };

/// A name for the keys that start with a prefix, for people and exports.
pub const View = struct {
    name: []const u8,
    prefix: []const u8,
    description: []const u8,
};

/// What a projection says of itself.
pub const Manifest = struct {
    /// 1 to 64 of `a`-`z`, `0`-`9` and `-`, starting with a letter.
    name: []const u8,
    /// The plugin's own, by semantic versioning.
    version: []const u8,
    /// What it makes, in a sentence.
    description: []const u8,
    /// The event types that it wants, as upcasters leave them; none for all.
    event_types: []const []const u8 = &.{},
    /// The categories that it wants; none for all.
    categories: []const []const u8 = &.{},
    /// Typed payloads need CBOR.
    payload_encoding: PayloadEncoding = .cbor,
    /// Typed values are written as CBOR.
    state_encoding: StateEncoding = .cbor,
    views: []const View = &.{},
};

/// From one schema version of an event type to the next.
pub const Step = struct {
    event_type: []const u8,
    /// What it takes; it makes the one above.
    schema_version: u32,
    /// The type of the events that it makes, if that changes.
    new_event_type: ?[]const u8 = null,
};

/// What an upcaster says of itself.
pub const UpcasterManifest = struct {
    name: []const u8,
    version: []const u8,
    description: []const u8,
    steps: []const Step,
    payload_encoding: PayloadEncoding = .cbor,
};
