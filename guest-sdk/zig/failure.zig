//! Why the plugin gives up on an event: an error, and a text kept beside it.

const memory = @import("memory.zig");
const std = @import("std");

/// The host keeps no more of a text than this.
const bytes_max = 16 * 1024;

// Outside the arena, so that a release does not take it.
var buffer: [bytes_max]u8 = undefined;
var kept: ?[]const u8 = null;

/// Refuses the event, with this text as the reason: `return polyfold.fail("{d} is negative", .{n})`. Best is lower case,
/// no full stop, naming the thing and the way out.
pub fn fail(comptime format: []const u8, arguments: anytype) error{Refused} {
    @branchHint(.cold);
    return failText(memory.print(format, arguments));
}

/// Refuses the event, with exactly this text.
pub fn failText(text: []const u8) error{Refused} {
    var length = @min(text.len, bytes_max);
    // Cut between two characters.
    while (length < text.len and length > 0 and text[length] & 0xc0 == 0x80) length -= 1;
    std.mem.copyForwards(u8, buffer[0..length], text[0..length]);
    kept = buffer[0..length];
    return error.Refused;
}

pub fn clear() void {
    kept = null;
}

/// The text of an error: what `fail` kept, or the name of any other.
pub fn textOf(err: anyerror) []const u8 {
    if (err == error.Refused) if (kept) |text| {
        // The host traps on a text that is no UTF-8, and then says less.
        if (!std.unicode.utf8ValidateSlice(text)) for (buffer[0..text.len]) |*byte| {
            byte.* &= 0x7f;
        };
        return text;
    };
    return memory.print("error.{s}", .{@errorName(err)});
}
