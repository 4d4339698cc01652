//! CBOR (RFC 8949): any value into a Zig type, and canonical on writing.
//!
//! | Zig | CBOR |
//! |---|---|
//! | integers, floats, `bool` | the same; a whole number reads as a float, too |
//! | `[]const u8` | text |
//! | `Bytes` | byte string |
//! | `?T` | null, or a `T`; an absent field reads as null |
//! | slices and arrays | arrays |
//! | structs | maps with the fields' names; a field with a default may be absent |
//! | enums | text, the tag's name |
//! | `Value` | anything, as a tree |
//! | `Raw` | anything, as the bytes that it is |

const memory = @import("memory.zig");
const std = @import("std");
const reading = @import("cbor/read.zig");
const writing = @import("cbor/write.zig");

pub const Reader = reading.Reader;
pub const Writer = writing.Writer;

/// A byte string.
pub const Bytes = struct { bytes: []const u8 };

/// One item as it is written, neither read nor changed.
pub const Raw = struct { bytes: []const u8 };

/// Anything that CBOR can say. An integer stays an integer and a float a float.
pub const Value = union(enum) {
    /// -2^64 to 2^64 - 1
    integer: i128,
    float: f64,
    bytes: []const u8,
    text: []const u8,
    array: []const Value,
    /// Written in canonical order, whatever the order here.
    map: []const Entry,
    tag: Tag,
    bool: bool,
    null,
    undefined,

    pub const Entry = struct { key: Value, value: Value };
    pub const Tag = struct { number: u64, content: *const Value };

    /// The value of a map's text key; null if there is none, or this is no map.
    pub fn get(value: Value, key: []const u8) ?Value {
        if (value != .map) return null;
        for (value.map) |entry| {
            if (entry.key == .text and std.mem.eql(u8, entry.key.text, key)) return entry.value;
        }
        return null;
    }
};

pub const Error = error{Unreadable};

/// Reads one value, which must be all there is; text and bytes point into `bytes`.
pub fn decode(comptime T: type, bytes: []const u8) Error!T {
    var reader: Reader = .{ .at = bytes };
    const value = try reader.read(T);
    if (reader.at.len > 0) return reading.refuse("something stands behind it", .{});
    return value;
}

/// Writes a value: shortest forms, map keys in the bytewise order of their encoding.
pub fn encode(value: anytype) []const u8 {
    var writer: Writer = .{};
    writer.write(value);
    return writer.bytes.items;
}

/// Says why the last value could not be read, and in which field.
pub fn problem() []const u8 {
    return reading.problem();
}

fn expectEncoded(hex: []const u8, value: anytype) !void {
    const found = memory.print("{x}", .{encode(value)});
    try std.testing.expectEqualStrings(hex, found);
}

fn roundTrip(hex: []const u8) !void {
    var buffer: [4096]u8 = undefined;
    const bytes = try std.fmt.hexToBytes(&buffer, hex);
    try expectEncoded(hex, try decode(Value, bytes));
}

test "examples of the RFC are written as it says" {
    try expectEncoded("00", 0);
    try expectEncoded("1818", 24);
    try expectEncoded("1a000f4240", 1_000_000);
    try expectEncoded("1bffffffffffffffff", @as(u64, std.math.maxInt(u64)));
    try expectEncoded("3bffffffffffffffff", @as(i128, -1 - @as(i128, std.math.maxInt(u64))));
    try expectEncoded("3903e7", @as(i64, -1000));
    try expectEncoded("f90000", 0.0);
    try expectEncoded("f98000", @as(f64, -0.0));
    try expectEncoded("f93e00", 1.5);
    try expectEncoded("f97bff", 65504.0);
    try expectEncoded("f90001", 5.960464477539063e-8);
    try expectEncoded("fa47c35000", 100_000.0);
    try expectEncoded("fb3ff199999999999a", 1.1);
    try expectEncoded("f97e00", std.math.nan(f64));
    try expectEncoded("f97c00", std.math.inf(f64));
    try expectEncoded("f6", null);
    try expectEncoded("62c3bc", "ü");
    try expectEncoded("8201820203", .{ 1, .{ 2, 3 } });
    try expectEncoded("a26161016162820203", .{ .b = .{ 2, 3 }, .a = 1 });
}

test "what is read as a value is written as the same bytes" {
    const items = [_][]const u8{
        "00",         "20",       "1bffffffffffffffff", "3bffffffffffffffff", "f90001",   "f98000", "f97e00",
        "fb7fefffffffffffff",     "4201ff",             "60",                 "62c3bc",   "80",     "a0",
        "a2016161616102",         "c074323031332d30332d32315432303a30343a30305a", "d9d9f7a0", "f4",  "f5",
        "f6",         "f7",       "fa3f8ccccd",
    };
    for (items) |item| try roundTrip(item);
    try roundTrip(&@as([254]u8, @bitCast(@as([127][2]u8, @splat("81".*)))) ++ "80");
}

test "a map is written in the order of its encoded keys" {
    const entry = struct {
        fn of(key: Value, number: i128) Value.Entry {
            return .{ .key = key, .value = .{ .integer = number } };
        }
    }.of;
    const map: Value = .{ .map = &.{
        entry(.{ .text = "zz" }, 1), entry(.{ .text = "b" }, 2), entry(.{ .integer = 100 }, 3), entry(.{ .text = "aa" }, 4),
    } };
    try expectEncoded("a41864036162026261610462" ++ "7a7a01", map);
}

const Kind = enum { plain, wide };
const Leg = struct { origin: []const u8, minutes: i32 };
const Flight = struct {
    name: []const u8,
    delay: f64,
    gate: ?u8,
    kind: Kind = .plain,
    legs: []const Leg,
    raw: Raw,
    key: Bytes,
};

test "structs read back as they were written" {
    const flight: Flight = .{
        .name = "N14228",
        .delay = -3.25,
        .gate = null,
        .kind = .wide,
        .legs = &.{ .{ .origin = "JFK", .minutes = -1 }, .{ .origin = "", .minutes = 70_000 } },
        .raw = .{ .bytes = "\x01" },
        .key = .{ .bytes = "\xff" },
    };
    try std.testing.expectEqualDeep(flight, try decode(Flight, encode(flight)));
}

test "fields that the type does not name are passed over, absent ones take their default" {
    const bytes = encode(.{ .name = "a", .delay = 10, .legs = .{}, .raw = true, .key = Bytes{ .bytes = "" }, .other = .{1} });
    const flight = try decode(Flight, bytes);
    try std.testing.expectEqual(10.0, flight.delay);
    try std.testing.expectEqual(Kind.plain, flight.kind);
    try std.testing.expectEqual(null, flight.gate);
}

fn expectProblem(comptime T: type, bytes: []const u8, says: []const u8) !void {
    try std.testing.expectError(error.Unreadable, decode(T, bytes));
    try std.testing.expectEqualStrings(says, problem());
}

test "an error names the field" {
    const Part = struct { legs: []const Leg };
    const text = encode(.{ .legs = .{ .{ .origin = "JFK", .minutes = 1 }, .{ .origin = "LGA", .minutes = "late" } } });
    try expectProblem(Part, text, "field \"legs[1].minutes\": expected an integer, found a text");
    const missing = encode(.{ .legs = .{.{ .origin = "JFK" }} });
    try expectProblem(Part, missing, "field \"legs[0].minutes\": it is missing");
    try expectProblem(struct { n: u8 }, encode(.{ .n = 256 }), "field \"n\": 256 does not fit u8");
}

test "malformed input is an error and never a crash" {
    const most = "\xff\xff\xff\xff\xff\xff\xff\xff";
    const items = [_][]const u8{
        "",         "\x19\x01",  "\x7b" ++ most,                 "\x9b" ++ most,                 "\xbb" ++ most, "\x5f",
        "\x62\xff", "\x01\x02",  &@as([1000]u8, @splat(0x81)), &@as([1000]u8, @splat(0xc1)), "\xff",         "\x1c",
    };
    for (items) |bytes| {
        try std.testing.expectError(error.Unreadable, decode(Value, bytes));
        try std.testing.expectError(error.Unreadable, decode(Raw, bytes));
        try std.testing.expectError(error.Unreadable, decode(Leg, bytes));
    }
    var random: std.Random.DefaultPrng = .init(4);
    for (0..20_000) |_| {
        var bytes: [24]u8 = undefined;
        random.random().bytes(&bytes);
        const before = memory.mark();
        _ = decode(Value, &bytes) catch {};
        _ = decode(Flight, &bytes) catch {};
        memory.release(before);
    }
}
