//! The arena: every allocation of the plugin and of the host, put one behind another and given back all at once.
//!
//! An instance serves one call, so nothing is freed within it but what stands between a mark and its release.

const builtin = @import("builtin");
const std = @import("std");

const page = 65536;
/// Memory is asked for in steps that grow, so that a small call stays small and a large one asks seldom.
const step_max = 64 * page;

const Chunk = struct {
    previous: ?*Chunk,
    next: ?*Chunk,
    end: usize,
};

var current: ?*Chunk = null;
var top: usize = 0;
var step: usize = 4 * page;

/// A place in the arena.
pub const Mark = struct { chunk: ?*Chunk, top: usize };

pub fn mark() Mark {
    if (current == null) nextChunk(0);
    return .{ .chunk = current, .top = top };
}

/// Gives back what was allocated or read since the mark: nothing may point to it any more.
pub fn release(place: Mark) void {
    current = place.chunk;
    top = place.top;
}

/// Memory of the arena behind Zig's usual interface; it never runs out without a trap.
pub const allocator: std.mem.Allocator = .{
    .ptr = undefined,
    .vtable = &.{ .alloc = alloc, .resize = resize, .remap = remap, .free = free },
};

/// Returns `count` items that are not set yet.
pub fn many(comptime T: type, count: usize) []T {
    const bytes = allocate(count * @sizeOf(T), @alignOf(T));
    return @as([*]T, @ptrFromInt(bytes))[0..count];
}

/// Returns a copy that lasts for the call.
pub fn copy(bytes: []const u8) []u8 {
    const to = many(u8, bytes.len);
    @memcpy(to, bytes);
    return to;
}

/// Returns formatted text that lasts for the call.
pub fn print(comptime format: []const u8, arguments: anytype) []u8 {
    return allocator.print(format, arguments) catch outOfMemory();
}

pub fn outOfMemory() noreturn {
    // Nothing can be said here: the host may be in the middle of handing something over.
    @trap();
}

/// Returns the address of fresh memory.
pub fn allocate(size: usize, alignment: usize) usize {
    var at = std.mem.alignForward(usize, top, alignment);
    if (current == null or at > current.?.end or size > current.?.end - at) {
        if (size > std.math.maxInt(usize) / 2) outOfMemory();
        nextChunk(size);
        at = std.mem.alignForward(usize, top, alignment);
    }
    top = at + size;
    return at;
}

/// Gives a block another size, in place if it is the last one.
pub fn reallocate(old: usize, old_size: usize, size: usize, alignment: usize) usize {
    if (old_size > 0 and fits(old, old_size, size)) return old;
    const at = allocate(size, alignment);
    const from: [*]const u8 = @ptrFromInt(if (old_size > 0) old else at);
    @memcpy(@as([*]u8, @ptrFromInt(at))[0..@min(old_size, size)], from);
    return at;
}

fn fits(old: usize, old_size: usize, size: usize) bool {
    if (old + old_size != top or size > current.?.end - old) return false;
    top = old + size;
    return true;
}

fn alloc(_: *anyopaque, size: usize, alignment: std.mem.Alignment, _: usize) ?[*]u8 {
    return @ptrFromInt(allocate(size, alignment.toByteUnits()));
}

fn resize(_: *anyopaque, old: []u8, _: std.mem.Alignment, size: usize, _: usize) bool {
    return fits(@intFromPtr(old.ptr), old.len, size) or size <= old.len;
}

fn remap(_: *anyopaque, old: []u8, alignment: std.mem.Alignment, size: usize, _: usize) ?[*]u8 {
    return if (resize(undefined, old, alignment, size, 0)) old.ptr else null;
}

fn free(_: *anyopaque, old: []u8, _: std.mem.Alignment, _: usize) void {
    _ = fits(@intFromPtr(old.ptr), old.len, 0);
}

/// Makes room for `wanted` bytes at `top`.
fn nextChunk(wanted: usize) void {
    const size = wanted + @sizeOf(Chunk) + 16;
    const old = current;
    // A chunk that a release has left behind.
    if (old) |chunk| if (chunk.next) |next| if (next.end - @intFromPtr(next) >= size) return use(next);
    var got = @max(size, step);
    const start = more(&got) orelse retry: {
        got = size;
        break :retry more(&got) orelse outOfMemory();
    };
    step = @min(step * 2, step_max);
    // Mostly memory grows right behind the chunk, which then only ends later.
    if (builtin.cpu.arch.isWasm()) if (old) |chunk| if (chunk.next == null and chunk.end == start) {
        chunk.end += got;
        return;
    };
    const fresh: *Chunk = @ptrFromInt(start);
    fresh.* = .{ .previous = old, .next = if (old) |chunk| chunk.next else null, .end = start + got };
    if (fresh.next) |next| next.previous = fresh;
    if (old) |chunk| chunk.next = fresh;
    use(fresh);
}

fn use(chunk: *Chunk) void {
    current = chunk;
    top = @intFromPtr(chunk) + @sizeOf(Chunk);
}

/// Asks for at least this many bytes; sets `size` to what it got.
fn more(size: *usize) ?usize {
    if (builtin.cpu.arch.isWasm()) {
        const pages = (size.* + page - 1) / page;
        const before = @wasmMemoryGrow(0, pages);
        if (before < 0) return null;
        size.* = pages * page;
        return @as(usize, @intCast(before)) * page;
    }
    const bytes = std.heap.page_allocator.alignedAlloc(u8, .@"16", size.*) catch return null;
    return @intFromPtr(bytes.ptr);
}

test "what is released is used again, and what was there before stays" {
    const kept = copy("kept");
    const before = mark();
    const first = many(u8, 100);
    for (0..100) |_| _ = many(u64, 100_000);
    release(before);
    try std.testing.expectEqual(first.ptr, many(u8, 100).ptr);
    try std.testing.expectEqualStrings("kept", kept);
    release(before);
}

test "the last block grows in place" {
    const before = mark();
    defer release(before);
    var list: std.ArrayList(u8) = .empty;
    try list.ensureTotalCapacityPrecise(allocator, 10);
    const start = list.items.ptr;
    try list.appendNTimes(allocator, 'a', 10_000);
    try std.testing.expectEqual(start, list.items.ptr);
}
