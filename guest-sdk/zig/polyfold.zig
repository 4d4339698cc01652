//! Write plugins for polyfold in Zig: all that a plugin's source file imports.
//!
//! A projection folds events into state, an upcaster lifts old events into a newer shape. Each is a struct with a
//! `manifest` and functions, exported by one line. README.md has complete examples.
//!
//! What must last goes into `state`: every call runs in an instance made for it, so a global variable is fresh each time,
//! and nothing that is allocated has to be freed.

const builtin = @import("builtin");
const std = @import("std");

pub const cbor = @import("cbor.zig");
pub const context = @import("context.zig");
pub const log = @import("log.zig");
pub const memory = @import("memory.zig");
pub const state = @import("state.zig");
pub const testing = @import("testing.zig");

pub const Event = @import("event.zig").Event;
pub const Payload = @import("event.zig").Payload;
pub const Fields = @import("fields.zig").Fields;
pub const Keys = @import("keyed.zig").Keys;
pub const Manifest = @import("manifest.zig").Manifest;
pub const UpcasterManifest = @import("manifest.zig").UpcasterManifest;

/// Memory that lasts for the call. Freeing is allowed, and does something for what was allocated last.
pub const allocator = memory.allocator;
pub const fail = @import("failure.zig").fail;
pub const failText = @import("failure.zig").failText;
pub const print = memory.print;

/// Folds event by event and gives the memory of each back: for an `apply` that reads much.
pub fn each(events: []const Event, comptime apply: anytype) !void {
    for (events) |*event| {
        const before = memory.mark();
        try apply(event);
        memory.release(before);
    }
}

/// Makes a struct the projection that this plugin exports. It has
///
/// - `pub const manifest: polyfold.Manifest`, and either
/// - `pub fn apply(events: []const Event) !void`, which folds them into `state`, in order of sequence; what it makes must
///   not depend on how many come at once;
/// - or `Payload`, `Value`, `keys` and `fold`, for values by key: see `keyed.zig`.
pub fn exportProjection(comptime Projection: type) void {
    if (builtin.cpu.arch.isWasm()) @import("abi.zig").exportProjection(Projection);
}

/// Makes a struct the upcaster that this plugin exports. It has
///
/// - `pub const manifest: polyfold.UpcasterManifest`;
/// - `pub fn upcast(event: *const Event) !Payload`, which gives the payload that lifts this event one step; its type and
///   schema version tell which.
pub fn exportUpcaster(comptime Upcaster: type) void {
    if (builtin.cpu.arch.isWasm()) @import("abi.zig").exportUpcaster(Upcaster);
}

/// For a plugin's root file: `pub const panic = polyfold.panic;` says in the log what a trap is about.
pub const panic = std.debug.FullPanic(panicked);

fn panicked(message: []const u8, _: ?usize) noreturn {
    log.write(.@"error", message);
    @trap();
}

/// Traps if this does not hold, and says where: `polyfold.assert(total >= 0, @src())`.
pub fn assert(holds: bool, source: std.lang.SourceLocation) void {
    if (holds) return;
    log.print(.@"error", "{s}:{d}: {s}: assertion failed", .{ source.file, source.line, source.fn_name });
    if (builtin.cpu.arch.isWasm()) @trap();
    @panic("assertion failed");
}

test {
    std.testing.refAllDecls(@This());
    _ = @import("keyed.zig");
    _ = @import("failure.zig");
}
