//! Writing canonical CBOR: shortest forms, map keys in the bytewise order of their encoding.

const cbor = @import("../cbor.zig");
const memory = @import("../memory.zig");
const std = @import("std");
const Major = @import("read.zig").Major;

pub const Writer = struct {
    bytes: std.ArrayList(u8) = .empty,

    pub fn write(writer: *Writer, value: anytype) void {
        const T = @TypeOf(value);
        switch (T) {
            cbor.Value => return writer.writeValue(value),
            cbor.Raw => return writer.append(value.bytes),
            cbor.Bytes => return writer.string(.bytes, value.bytes),
            else => {},
        }
        switch (@typeInfo(T)) {
            .int, .comptime_int => writer.integer(value),
            .float, .comptime_float => writer.float(value),
            .bool => writer.append(if (value) "\xf5" else "\xf4"),
            .null => writer.append("\xf6"),
            .optional => if (value) |there| writer.write(there) else writer.append("\xf6"),
            .@"enum", .enum_literal => writer.string(.text, @tagName(value)),
            .pointer => |pointer| switch (pointer.size) {
                .slice => if (pointer.child == u8) writer.string(.text, value) else writer.items(value),
                .one => writer.write(value.*),
                else => @compileError("CBOR has no " ++ @typeName(T)),
            },
            .array => |array| if (array.child == u8) writer.string(.text, &value) else writer.items(&value),
            .@"struct" => |info| if (info.is_tuple) {
                writer.head(.array, info.field_names.len);
                inline for (info.field_names) |name| writer.write(@field(value, name));
            } else writer.fields(value),
            else => @compileError("CBOR has no " ++ @typeName(T)),
        }
    }

    pub fn head(writer: *Writer, major: Major, number: u64) void {
        const kind = @as(u8, @intFromEnum(major)) << 5;
        if (number < 24) return writer.append(&.{kind | @as(u8, @intCast(number))});
        if (number <= 0xff) return writer.append(&.{ kind | 24, @intCast(number) });
        var long: [9]u8 = undefined;
        const size: u4 = if (number <= 0xffff) 2 else if (number <= 0xffff_ffff) 4 else 8;
        long[0] = kind | @as(u8, if (size == 2) 25 else if (size == 4) 26 else 27);
        std.mem.writeInt(u64, long[1..9], number << @intCast((8 - @as(u7, size)) * 8), .big);
        writer.append(long[0 .. 1 + @as(usize, size)]);
    }

    pub fn append(writer: *Writer, bytes: []const u8) void {
        writer.bytes.appendSlice(memory.allocator, bytes) catch memory.outOfMemory();
    }

    pub fn string(writer: *Writer, major: Major, bytes: []const u8) void {
        writer.head(major, bytes.len);
        writer.append(bytes);
    }

    fn integer(writer: *Writer, value: i128) void {
        const number = if (value >= 0) value else -1 - value;
        const fits = std.math.cast(u64, number) orelse @panic("an integer is beyond 64 bits");
        writer.head(if (value >= 0) .unsigned else .negative, fits);
    }

    fn float(writer: *Writer, value: f64) void {
        const single: f32 = @floatCast(value);
        const half: f16 = @floatCast(value);
        // There is one NaN.
        if (std.math.isNan(value)) return writer.append("\xf9\x7e\x00");
        if (half == value) {
            writer.append("\xf9");
            return writer.bits(@as(u16, @bitCast(half)));
        }
        if (single == value) {
            writer.append("\xfa");
            return writer.bits(@as(u32, @bitCast(single)));
        }
        writer.append("\xfb");
        writer.bits(@as(u64, @bitCast(value)));
    }

    fn bits(writer: *Writer, value: anytype) void {
        var bytes: [@sizeOf(@TypeOf(value))]u8 = undefined;
        std.mem.writeInt(@TypeOf(value), &bytes, value, .big);
        writer.append(&bytes);
    }

    fn items(writer: *Writer, list: anytype) void {
        writer.head(.array, list.len);
        for (list) |item| writer.write(item);
    }

    fn fields(writer: *Writer, value: anytype) void {
        const names = comptime inOrder(@typeInfo(@TypeOf(value)).@"struct".field_names);
        writer.head(.map, names.len);
        inline for (names) |name| {
            writer.string(.text, name);
            writer.write(@field(value, name));
        }
    }

    fn writeValue(writer: *Writer, value: cbor.Value) void {
        switch (value) {
            .integer => |number| writer.integer(number),
            .float => |number| writer.float(number),
            .bytes => |bytes| writer.string(.bytes, bytes),
            .text => |bytes| writer.string(.text, bytes),
            .array => |list| {
                writer.head(.array, list.len);
                for (list) |item| writer.writeValue(item);
            },
            .map => |entries| writer.map(entries),
            .tag => |tag| {
                writer.head(.tag, tag.number);
                writer.writeValue(tag.content.*);
            },
            .bool => |truth| writer.append(if (truth) "\xf5" else "\xf4"),
            .null => writer.append("\xf6"),
            .undefined => writer.append("\xf7"),
        }
    }

    fn map(writer: *Writer, entries: []const cbor.Value.Entry) void {
        const Encoded = struct {
            key: []const u8,
            value: cbor.Value,

            fn lessThan(_: void, a: @This(), b: @This()) bool {
                return std.mem.lessThan(u8, a.key, b.key);
            }
        };
        const encoded = memory.many(Encoded, entries.len);
        for (encoded, entries) |*to, entry| to.* = .{ .key = cbor.encode(entry.key), .value = entry.value };
        std.sort.pdq(Encoded, encoded, {}, Encoded.lessThan);
        writer.head(.map, entries.len);
        for (encoded) |entry| {
            writer.append(entry.key);
            writer.writeValue(entry.value);
        }
    }
};

/// The canonical order of names: shorter ones first, then bytewise.
pub fn before(a: []const u8, b: []const u8) bool {
    return if (a.len != b.len) a.len < b.len else std.mem.lessThan(u8, a, b);
}

fn inOrder(comptime names: []const [:0]const u8) [names.len][:0]const u8 {
    var order: [names.len][:0]const u8 = names[0..names.len].*;
    for (1..@max(names.len, 1)) |i| {
        var at = i;
        while (at > 0 and before(order[at], order[at - 1])) : (at -= 1) {
            std.mem.swap([:0]const u8, &order[at], &order[at - 1]);
        }
    }
    return order;
}
