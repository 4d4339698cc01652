//! Reading CBOR into Zig types, every step checked against the end of the input.

const cbor = @import("../cbor.zig");
const memory = @import("../memory.zig");
const std = @import("std");

/// Nesting that is still read; a stack overflow would not be the same on every machine.
const depth_max = 128;

pub const Major = enum(u3) { unsigned, negative, bytes, text, array, map, tag, simple };

/// Why the last value could not be read, and the way to it, outermost first: `legs[3].origin`.
var reason: []const u8 = "";
var path: []const u8 = "";

pub fn refuse(comptime format: []const u8, arguments: anytype) cbor.Error {
    @branchHint(.cold);
    reason = memory.print(format, arguments);
    path = "";
    return error.Unreadable;
}

pub fn problem() []const u8 {
    return if (path.len == 0) reason else memory.print("field \"{s}\": {s}", .{ path, reason });
}

/// Puts a field's name around the way so far.
fn within(comptime format: []const u8, arguments: anytype) void {
    @branchHint(.cold);
    const name = memory.print(format, arguments);
    const dot = if (path.len == 0 or path[0] == '[') "" else ".";
    path = memory.print("{s}{s}{s}", .{ name, dot, path });
}

fn tooShort() cbor.Error {
    return refuse("it ends too early", .{});
}

/// An item's first byte and the number that belongs to it; of a float, its bits.
pub const Head = struct { major: Major, info: u5, number: u64 };

/// What is left of the input.
pub const Reader = struct {
    at: []const u8,
    depth: u8 = 0,

    pub fn read(reader: *Reader, comptime T: type) cbor.Error!T {
        switch (T) {
            cbor.Value => return reader.readValue(),
            cbor.Raw => return .{ .bytes = try reader.raw() },
            cbor.Bytes => return .{ .bytes = try reader.string(.bytes) },
            []const u8 => return reader.text(),
            bool => return reader.readBool(),
            else => {},
        }
        switch (@typeInfo(T)) {
            .int => return reader.readInteger(T),
            .float => return reader.readFloat(T),
            .optional => |optional| {
                if (try reader.isNull()) return null;
                return try reader.read(optional.child);
            },
            .pointer => |pointer| {
                if (pointer.size != .slice) @compileError("CBOR cannot be read as " ++ @typeName(T));
                return reader.readSlice(pointer.child);
            },
            .array => |array| return reader.readArray(array.child, array.len),
            .@"struct" => return reader.readStruct(T),
            .@"enum" => {
                const name = try reader.text();
                return std.meta.stringToEnum(T, name) orelse refuse("\"{s}\" is none of its values", .{name});
            },
            else => @compileError("CBOR cannot be read as " ++ @typeName(T)),
        }
    }

    pub inline fn head(reader: *Reader) cbor.Error!Head {
        if (reader.at.len == 0) return tooShort();
        const initial = reader.at[0];
        reader.at = reader.at[1..];
        const info: u5 = @truncate(initial);
        const number = if (info < 24) info else try reader.longNumber(info);
        return .{ .major = @enumFromInt(initial >> 5), .info = info, .number = number };
    }

    fn longNumber(reader: *Reader, info: u5) cbor.Error!u64 {
        return switch (info) {
            24 => (try reader.take(1))[0],
            25 => std.mem.readInt(u16, (try reader.take(2))[0..2], .big),
            26 => std.mem.readInt(u32, (try reader.take(4))[0..4], .big),
            27 => std.mem.readInt(u64, (try reader.take(8))[0..8], .big),
            else => refuse("indefinite lengths are not canonical", .{}),
        };
    }

    inline fn take(reader: *Reader, length: u64) cbor.Error![]const u8 {
        if (length > reader.at.len) return tooShort();
        const taken = reader.at[0..@intCast(length)];
        reader.at = reader.at[@intCast(length)..];
        return taken;
    }

    fn isNull(reader: *Reader) cbor.Error!bool {
        if (reader.at.len == 0) return tooShort();
        if (reader.at[0] != 0xf6 and reader.at[0] != 0xf7) return false;
        reader.at = reader.at[1..];
        return true;
    }

    fn expect(reader: *Reader, comptime major: Major, comptime wanted: []const u8) cbor.Error!u64 {
        const found = try reader.head();
        if (found.major != major) return refuse("expected {s}, found {s}", .{ wanted, nameOf(found) });
        return found.number;
    }

    /// The bytes of a text or byte string.
    fn string(reader: *Reader, comptime major: Major) cbor.Error![]const u8 {
        return reader.take(try reader.expect(major, if (major == .text) "a text" else "bytes"));
    }

    pub fn text(reader: *Reader) cbor.Error![]const u8 {
        const bytes = try reader.string(.text);
        if (!std.unicode.utf8ValidateSlice(bytes)) return refuse("a text is not UTF-8", .{});
        return bytes;
    }

    fn readBool(reader: *Reader) cbor.Error!bool {
        const found = try reader.head();
        if (found.major != .simple or (found.info != 20 and found.info != 21)) {
            return refuse("expected a bool, found {s}", .{nameOf(found)});
        }
        return found.info == 21;
    }

    fn readInteger(reader: *Reader, comptime T: type) cbor.Error!T {
        const found = try reader.head();
        const number: i128 = switch (found.major) {
            .unsigned => if (std.math.cast(T, found.number)) |fits| return fits else found.number,
            .negative => -1 - @as(i128, found.number),
            else => return refuse("expected an integer, found {s}", .{nameOf(found)}),
        };
        return std.math.cast(T, number) orelse refuse("{d} does not fit {s}", .{ number, @typeName(T) });
    }

    fn readFloat(reader: *Reader, comptime T: type) cbor.Error!T {
        const found = try reader.head();
        return switch (found.major) {
            .unsigned => @floatFromInt(found.number),
            .negative => @floatFromInt(-1 - @as(i128, found.number)),
            else => @floatCast(floatOf(found) orelse return refuse("expected a number, found {s}", .{nameOf(found)})),
        };
    }

    fn deeper(reader: *Reader) cbor.Error!void {
        if (reader.depth == depth_max) return refuse("nested more than {d} levels deep", .{depth_max});
        reader.depth += 1;
    }

    fn readSlice(reader: *Reader, comptime T: type) cbor.Error![]const T {
        const count = try reader.checkCount(try reader.expect(.array, "an array"));
        const items = memory.many(T, count);
        try reader.readItems(T, items);
        return items;
    }

    fn readArray(reader: *Reader, comptime T: type, comptime length: usize) cbor.Error![length]T {
        const count_found = try reader.expect(.array, "an array");
        if (count_found != length) return refuse("expected {d} elements, found {d}", .{ length, count_found });
        var items: [length]T = undefined;
        try reader.readItems(T, &items);
        return items;
    }

    fn readItems(reader: *Reader, comptime T: type, items: []T) cbor.Error!void {
        try reader.deeper();
        for (items, 0..) |*item, i| item.* = reader.read(T) catch |err| {
            within("[{d}]", .{i});
            return err;
        };
        reader.depth -= 1;
    }

    /// A number of items, each of at least a byte: more cannot be there.
    fn checkCount(reader: *Reader, number: u64) cbor.Error!usize {
        return if (number > reader.at.len) tooShort() else @intCast(number);
    }

    fn readStruct(reader: *Reader, comptime T: type) cbor.Error!T {
        const info = @typeInfo(T).@"struct";
        var entries = try reader.expect(.map, "a map");
        try reader.deeper();
        var value: T = undefined;
        var found: std.StaticBitSet(info.field_names.len) = .empty;
        while (entries > 0) : (entries -= 1) {
            const place = try reader.fieldPlace(info.field_names);
            var known = false;
            inline for (info.field_names, info.field_types, 0..) |name, Field, i| {
                if (place == i) {
                    @field(value, name) = reader.read(Field) catch |err| {
                        within("{s}", .{name});
                        return err;
                    };
                    found.set(i);
                    known = true;
                }
            }
            if (!known) try reader.skip();
        }
        inline for (info.field_names, info.field_types, info.field_attrs, 0..) |name, Field, attributes, i| {
            if (!found.isSet(i)) {
                if (attributes.defaultValue(Field)) |default| {
                    @field(value, name) = default;
                } else if (@typeInfo(Field) == .optional) {
                    @field(value, name) = null;
                } else {
                    reason = "it is missing";
                    path = name;
                    return error.Unreadable;
                }
            }
        }
        reader.depth -= 1;
        return value;
    }

    /// Passes a map's key and says which field it names.
    inline fn fieldPlace(reader: *Reader, comptime names: []const [:0]const u8) cbor.Error!?usize {
        const before = reader.at;
        const key = try reader.head();
        if (key.major != .text) {
            reader.at = before;
            try reader.skip();
            return null;
        }
        const bytes = try reader.take(key.number);
        inline for (names, 0..) |name, i| {
            if (bytes.len == name.len and std.mem.eql(u8, bytes[0..name.len], name)) return i;
        }
        return null;
    }

    fn readValue(reader: *Reader) cbor.Error!cbor.Value {
        const before = reader.at;
        const found = try reader.head();
        switch (found.major) {
            .unsigned => return .{ .integer = found.number },
            .negative => return .{ .integer = -1 - @as(i128, found.number) },
            .bytes => return .{ .bytes = try reader.take(found.number) },
            .text => {
                reader.at = before;
                return .{ .text = try reader.text() };
            },
            .array => {
                const items = memory.many(cbor.Value, try reader.checkCount(found.number));
                try reader.readItems(cbor.Value, items);
                return .{ .array = items };
            },
            .map => {
                const entries = memory.many(cbor.Value.Entry, try reader.checkCount(found.number));
                try reader.deeper();
                for (entries) |*entry| entry.* = .{ .key = try reader.readValue(), .value = try reader.readValue() };
                reader.depth -= 1;
                return .{ .map = entries };
            },
            .tag => {
                const content = &memory.many(cbor.Value, 1)[0];
                try reader.deeper();
                content.* = try reader.readValue();
                reader.depth -= 1;
                return .{ .tag = .{ .number = found.number, .content = content } };
            },
            .simple => return switch (found.info) {
                20 => .{ .bool = false },
                21 => .{ .bool = true },
                22 => .null,
                23 => .undefined,
                else => .{ .float = floatOf(found) orelse return refuse("simple value {d} is not supported", .{found.number}) },
            },
        }
    }

    /// Passes one item and returns its bytes.
    pub fn raw(reader: *Reader) cbor.Error![]const u8 {
        const before = reader.at;
        try reader.skip();
        return before[0 .. before.len - reader.at.len];
    }

    /// Passes one item with all that is inside it. A loop, not a recursion: depth costs no stack.
    pub fn skip(reader: *Reader) cbor.Error!void {
        var left: u64 = 1;
        while (left > 0) {
            left -= 1;
            const found = try reader.head();
            left = switch (found.major) {
                .bytes, .text => kept: {
                    _ = try reader.take(found.number);
                    break :kept left;
                },
                .array => left +| found.number,
                .map => left +| found.number *| 2,
                .tag => left +| 1,
                else => left,
            };
        }
    }
};

fn floatOf(found: Head) ?f64 {
    if (found.major != .simple) return null;
    return switch (found.info) {
        25 => @as(f16, @bitCast(@as(u16, @intCast(found.number)))),
        26 => @as(f32, @bitCast(@as(u32, @intCast(found.number)))),
        27 => @bitCast(found.number),
        else => null,
    };
}

fn nameOf(found: Head) []const u8 {
    return switch (found.major) {
        .unsigned, .negative => "an integer",
        .bytes => "bytes",
        .text => "a text",
        .array => "an array",
        .map => "a map",
        .tag => "a tag",
        .simple => switch (found.info) {
            20, 21 => "a bool",
            22, 23 => "null",
            25, 26, 27 => "a float",
            else => "another value",
        },
    };
}
