//! The projection's state: entries, ordered by key.
//!
//! Reads see the writes of the same call. Keys are 1 to 1,024 bytes, values at most 1 MiB; what breaks a limit traps.
//! A host call costs some 0.3 us, so `getMany` and `write` beat `get` and `put` in a loop.

const cbor = @import("cbor.zig");
const failure = @import("failure.zig");
const imports = @import("imports.zig");
const memory = @import("memory.zig");
const std = @import("std");

/// A key with its new value, null to delete it.
pub const Change = struct { key: []const u8, value: ?[]const u8 };
pub const Entry = struct { key: []const u8, value: []const u8 };

/// Returns the value of a key.
pub fn get(comptime T: type, key: []const u8) !?T {
    return try read(T, key, getBytes(key) orelse return null);
}

/// Sets the value of a key.
pub fn put(key: []const u8, value: anytype) void {
    putBytes(key, cbor.encode(value));
}

/// Removes a key; nothing happens if there is no such entry.
pub fn delete(key: []const u8) void {
    imports.delete(key);
}

/// Reads a value as the others do; an error names its key.
pub fn read(comptime T: type, key: []const u8, bytes: []const u8) !T {
    return cbor.decode(T, bytes) catch
        failure.fail("cannot read the state's entry \"{s}\": {s}", .{ key, cbor.problem() });
}

/// Returns the bytes of a key's value.
pub fn getBytes(key: []const u8) ?[]const u8 {
    return imports.get(key);
}

/// Returns the bytes of many keys' values, in their order: one host call. At most 64 MiB together.
pub fn getMany(keys: []const []const u8) []const ?[]const u8 {
    return imports.getMany(keys);
}

/// Sets the bytes of a key's value.
pub fn putBytes(key: []const u8, value: []const u8) void {
    imports.put(key, value);
}

/// Makes many changes, in their order: one host call.
pub fn write(changes: []const Change) void {
    imports.write(changes);
}

/// Returns a page: at most `limit` entries (never more than 1,000 or 4 MiB) whose key starts with `prefix`, in key order,
/// behind the key `after`. Only an empty page is the last.
pub fn scan(prefix: []const u8, after: ?[]const u8, limit: u32) []const Entry {
    return imports.scan(prefix, after, limit, null);
}

/// Walks through all entries with a prefix, over all pages.
pub fn iterate(prefix: []const u8) Iterator {
    return .{ .prefix = prefix };
}

/// An entry is valid until the next one is asked for: pages share one piece of memory.
pub const Iterator = struct {
    prefix: []const u8,
    /// How many entries are asked for at once.
    page_size: u32 = 1000,
    page: []const Entry = &.{},
    index: usize = 0,
    after: ?[]u8 = null,
    ended: bool = false,
    piece: imports.Piece = .{},

    pub fn next(self: *Iterator) ?Entry {
        if (self.index == self.page.len) {
            if (self.ended) return null;
            self.piece.renew();
            self.page = imports.scan(self.prefix, self.after, self.page_size, &self.piece);
            self.index = 0;
            self.ended = self.page.len == 0;
            if (self.ended) return null;
        }
        const entry = self.page[self.index];
        self.index += 1;
        if (self.index == self.page.len) self.remember(entry.key);
        return entry;
    }

    /// The next page may take the place of this key.
    fn remember(self: *Iterator, key: []const u8) void {
        const buffer = if (self.after) |after| after.ptr[0..key_bytes_max] else memory.many(u8, key_bytes_max);
        @memcpy(buffer[0..key.len], key);
        self.after = buffer[0..key.len];
    }

    const key_bytes_max = 1024;
};
