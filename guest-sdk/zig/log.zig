//! Messages for the plugin's author, kept with a fault of the call and dropped otherwise.

const imports = @import("imports.zig");
const memory = @import("memory.zig");
const std = @import("std");

pub const Level = enum(u8) { trace, debug, info, warn, @"error" };

/// Writes one message. What is longer than 4 KiB is cut, and after 100 messages in one call the rest is dropped.
pub fn write(level: Level, message: []const u8) void {
    imports.log(level, message);
}

pub fn print(level: Level, comptime format: []const u8, arguments: anytype) void {
    write(level, memory.print(format, arguments));
}

pub fn trace(comptime format: []const u8, arguments: anytype) void {
    print(.trace, format, arguments);
}

pub fn debug(comptime format: []const u8, arguments: anytype) void {
    print(.debug, format, arguments);
}

pub fn info(comptime format: []const u8, arguments: anytype) void {
    print(.info, format, arguments);
}

pub fn warn(comptime format: []const u8, arguments: anytype) void {
    print(.warn, format, arguments);
}

pub fn err(comptime format: []const u8, arguments: anytype) void {
    print(.@"error", format, arguments);
}
