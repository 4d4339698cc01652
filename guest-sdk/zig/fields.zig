//! A payload's fields, to take out, put in and rename: what an upcaster mostly does.

const cbor = @import("cbor.zig");
const memory = @import("memory.zig");
const std = @import("std");
const Event = @import("event.zig").Event;
const Payload = @import("event.zig").Payload;

/// The fields of a payload that is a map with text for keys. Those that nobody touches stay as they are, bit by bit.
pub const Fields = struct {
    event: *const Event,
    list: std.ArrayList(Field) = .empty,

    const Field = struct { name: []const u8, value: []const u8 };

    /// Reads the fields of an event's payload.
    pub fn of(event: *const Event) !Fields {
        if (event.payload != .cbor) return event.fail("the payload is not CBOR", .{});
        var fields: Fields = .{ .event = event };
        fields.readAll(event.payload.cbor) catch return event.fail("cannot read the payload: {s}", .{cbor.problem()});
        return fields;
    }

    fn readAll(fields: *Fields, bytes: []const u8) !void {
        var reader: cbor.Reader = .{ .at = bytes };
        const head = try reader.head();
        if (head.major != .map) return @import("cbor/read.zig").refuse("it is no map", .{});
        var left = head.number;
        while (left > 0) : (left -= 1) fields.append(.{ .name = try reader.text(), .value = try reader.raw() });
        if (reader.at.len > 0) return @import("cbor/read.zig").refuse("something stands behind it", .{});
    }

    fn append(fields: *Fields, field: Field) void {
        fields.list.append(memory.allocator, field) catch memory.outOfMemory();
    }

    /// Takes a field out, which must be there; a `?T` may be absent or null.
    pub fn take(fields: *Fields, comptime T: type, name: []const u8) !T {
        const place = fields.placeOf(name) orelse {
            if (@typeInfo(T) == .optional) return null;
            return fields.event.fail("missing field \"{s}\"", .{name});
        };
        const value = fields.list.swapRemove(place).value;
        return cbor.decode(T, value) catch fields.event.fail("field \"{s}\": {s}", .{ name, cbor.problem() });
    }

    /// Sets a field.
    pub fn put(fields: *Fields, name: []const u8, value: anytype) void {
        const field: Field = .{ .name = name, .value = cbor.encode(value) };
        if (fields.placeOf(name)) |place| fields.list.items[place] = field else fields.append(field);
    }

    /// Gives a field another name, if it is there, replacing what had that name.
    pub fn rename(fields: *Fields, name: []const u8, new_name: []const u8) void {
        const place = fields.placeOf(name) orelse return;
        const value = fields.list.swapRemove(place).value;
        fields.put(new_name, cbor.Raw{ .bytes = value });
    }

    /// Makes the payload, its fields in canonical order.
    pub fn payload(fields: *Fields) Payload {
        std.sort.pdq(Field, fields.list.items, {}, lessThan);
        var writer: cbor.Writer = .{};
        writer.head(.map, fields.list.items.len);
        for (fields.list.items) |field| {
            writer.string(.text, field.name);
            writer.append(field.value);
        }
        return .{ .cbor = writer.bytes.items };
    }

    fn lessThan(_: void, a: Field, b: Field) bool {
        return @import("cbor/write.zig").before(a.name, b.name);
    }

    fn placeOf(fields: *const Fields, name: []const u8) ?usize {
        for (fields.list.items, 0..) |field, i| if (std.mem.eql(u8, field.name, name)) return i;
        return null;
    }
};

const testing = @import("testing.zig");

test "fields that nobody touches stay as they are, and the rest is in canonical order" {
    const event = testing.event("a", .{ .old = 1, .float = 1.0, .gone = null, .text = "é" });
    var fields: Fields = try .of(&event);
    try std.testing.expectEqual(null, try fields.take(?u8, "gone"));
    try std.testing.expectEqual(null, try fields.take(?u8, "absent"));
    fields.rename("old", "newer");
    fields.put("b", .{ 1, 2 });
    const expected = cbor.encode(.{ .newer = 1, .float = 1.0, .text = "é", .b = .{ 1, 2 } });
    try std.testing.expectEqualStrings(expected, fields.payload().cbor);
}
