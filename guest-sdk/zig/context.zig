//! What surrounds the call in hand.

const failure = @import("failure.zig");
const imports = @import("imports.zig");
const memory = @import("memory.zig");
const std = @import("std");

pub const Metadata = struct { name: []const u8, value: []const u8 };

/// The fields of an event that `Event` leaves out.
pub const Envelope = struct {
    id: []const u8,
    /// In microseconds since 1970.
    occurred_at: ?i64 = null,
    actor: ?[]const u8 = null,
    causation_id: ?[]const u8 = null,
    correlation_id: ?[]const u8 = null,
    /// Ordered by name.
    metadata: []const Metadata = &.{},
    tags: []const []const u8 = &.{},
};

/// Returns the rest of an event of this call; null for any other sequence.
pub fn envelopeOf(sequence: u64) ?Envelope {
    return imports.envelopeOf(sequence);
}

/// Returns the projection's parameters as the text that its owner gave, `{}` if none were given.
pub fn parametersJson() []const u8 {
    return imports.parameters();
}

/// Reads the parameters into a struct; fields that it does not name are passed over, and those with a default may be
/// left out.
pub fn parameters(comptime T: type) !T {
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    return std.json.parseFromSliceLeaky(T, memory.allocator, parametersJson(), options) catch |err|
        failure.fail("cannot read the parameters: {s}", .{@errorName(err)});
}
