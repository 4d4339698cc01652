//! Keyed fold: an event names keys, and is folded into the value of each.
//!
//! A projection of this kind has, beside its `manifest`:
//!
//! - `Payload`: what is read from an event's payload; `void` for nothing;
//! - `Value`: what is kept for a key; it starts from its fields' defaults, or as zero;
//! - `keys(event: *const Event, payload: *const Payload, keys: *Keys) !void` names the keys that the event belongs to;
//! - `fold(value: *Value, event: *const Event, payload: *const Payload, key: []const u8) !void`;
//! - if it likes `payload(event: *const Event) !Payload`, in place of reading it by its type;
//! - if it likes `keep(value: *const Value) bool`: whether a value is worth an entry. Where it is not, the key has none and
//!   starts afresh.
//!
//! A batch is folded in memory: one host call reads the values of all its keys, one writes those that changed. Nothing of
//! it depends on where batches are cut.

const cbor = @import("cbor.zig");
const failure = @import("failure.zig");
const memory = @import("memory.zig");
const state = @import("state.zig");
const std = @import("std");
const Event = @import("event.zig").Event;

/// Makes one call of a projection of either kind.
pub fn apply(comptime Projection: type, events: []const Event) anyerror!void {
    failure.clear();
    if (@hasDecl(Projection, "apply")) return Projection.apply(events);
    var batch: Batch(Projection) = .{ .events = events };
    try batch.gather();
    try batch.readValues();
    try batch.fold();
    batch.writeChanges();
}

/// A batch's distinct keys, each with its place, in the order in which they first come.
pub const Keys = struct {
    names: std.ArrayList([]const u8) = .empty,
    /// Open addressing; its size is a power of two, at least twice the count of names.
    slots: []Slot = &.{},
    /// The keys of all events, one event's behind another's.
    places: std.ArrayList(u32) = .empty,

    const Slot = struct { hash: u32, place: u32 };
    const nowhere = std.math.maxInt(u32);

    /// Adds a key of the event in hand.
    pub fn add(keys: *Keys, key: []const u8) void {
        keys.places.append(memory.allocator, keys.placeOf(key)) catch memory.outOfMemory();
    }

    /// Adds a formatted key of the event in hand.
    pub fn print(keys: *Keys, comptime format: []const u8, arguments: anytype) void {
        keys.add(memory.print(format, arguments));
    }

    fn placeOf(keys: *Keys, key: []const u8) u32 {
        if (keys.names.items.len * 2 >= keys.slots.len) keys.growSlots();
        const hash = hashOf(key);
        const slot = for (0..keys.slots.len) |i| {
            const slot = &keys.slots[(hash + i) & (keys.slots.len - 1)];
            if (slot.place == nowhere) break slot;
            if (slot.hash == hash and std.mem.eql(u8, keys.names.items[slot.place], key)) return slot.place;
        } else unreachable;
        const place: u32 = @intCast(keys.names.items.len);
        slot.* = .{ .hash = hash, .place = place };
        keys.names.append(memory.allocator, memory.copy(key)) catch memory.outOfMemory();
        return place;
    }

    fn growSlots(keys: *Keys) void {
        const old = keys.slots;
        keys.slots = memory.many(Slot, @max(256, old.len * 2));
        @memset(keys.slots, .{ .hash = 0, .place = nowhere });
        for (old) |slot| {
            if (slot.place == nowhere) continue;
            var at = slot.hash & (keys.slots.len - 1);
            while (keys.slots[at].place != nowhere) at = (at + 1) & (keys.slots.len - 1);
            keys.slots[at] = slot;
        }
    }

    /// Hashes by a fixed function: the order of the keys never follows it, but the fuel used does.
    fn hashOf(key: []const u8) u32 {
        const factor = 0x517cc1b727220a95;
        var hash: u64 = key.len;
        var rest = key;
        while (rest.len >= 8) : (rest = rest[8..]) {
            hash = (std.math.rotl(u64, hash, 5) ^ std.mem.readInt(u64, rest[0..8], .little)) *% factor;
        }
        var last: u64 = 0;
        for (rest) |byte| last = last << 8 | byte;
        hash = (std.math.rotl(u64, hash, 5) ^ last) *% factor;
        return @truncate(hash >> 32);
    }
};

fn Batch(comptime P: type) type {
    return struct {
        const Self = @This();

        events: []const Event,
        payloads: []P.Payload = &.{},
        keys: Keys = .{},
        /// Where each event's keys end among the places.
        ends: []u32 = &.{},
        stored: []const ?[]const u8 = &.{},
        values: []P.Value = &.{},

        fn gather(batch: *Self) !void {
            batch.payloads = memory.many(P.Payload, batch.events.len);
            batch.ends = memory.many(u32, batch.events.len);
            for (batch.events, batch.payloads, batch.ends) |*event, *payload, *end| {
                payload.* = if (@hasDecl(P, "payload")) try P.payload(event) else if (P.Payload == void) {} else try event.read(P.Payload);
                try P.keys(event, payload, &batch.keys);
                end.* = @intCast(batch.keys.places.items.len);
            }
        }

        fn readValues(batch: *Self) !void {
            const names = batch.keys.names.items;
            batch.stored = state.getMany(names);
            batch.values = memory.many(P.Value, names.len);
            for (batch.values, batch.stored, names) |*value, stored, key| {
                value.* = if (stored) |bytes| try state.read(P.Value, key, bytes) else fresh();
            }
        }

        fn fold(batch: *Self) !void {
            var start: usize = 0;
            for (batch.events, batch.payloads, batch.ends) |*event, *payload, end| {
                for (batch.keys.places.items[start..end]) |place| {
                    const value = &batch.values[place];
                    try P.fold(value, event, payload, batch.keys.names.items[place]);
                    // If the batch ended here the entry would be deleted, so what follows must start afresh, too.
                    if (!keep(value)) value.* = fresh();
                }
                start = end;
            }
        }

        fn writeChanges(batch: *Self) void {
            const changes = memory.many(state.Change, batch.values.len);
            var count: usize = 0;
            for (batch.values, batch.stored, batch.keys.names.items) |*value, old, key| {
                const new: ?[]const u8 = if (keep(value)) cbor.encode(value.*) else null;
                if (same(new, old)) continue;
                changes[count] = .{ .key = key, .value = new };
                count += 1;
            }
            state.write(changes[0..count]);
        }

        fn keep(value: *const P.Value) bool {
            return if (@hasDecl(P, "keep")) P.keep(value) else true;
        }

        fn fresh() P.Value {
            return if (@typeInfo(P.Value) == .@"struct") .{} else std.mem.zeroes(P.Value);
        }

        fn same(a: ?[]const u8, b: ?[]const u8) bool {
            const left = a orelse return b == null;
            return std.mem.eql(u8, left, b orelse return false);
        }
    };
}

test "each key has one place, in the order of first sight" {
    var keys: Keys = .{};
    for (0..5000) |i| keys.print("key/{d}", .{i % 1000});
    for (keys.places.items, 0..) |place, i| try std.testing.expectEqual(i % 1000, place);
    try std.testing.expectEqualStrings("key/999", keys.names.items[999]);
}

const testing = @import("testing.zig");

/// `paid` moves an amount between two accounts; an account at zero has no entry.
const Balances = struct {
    pub const manifest: @import("manifest.zig").Manifest = .{
        .name = "balances",
        .version = "1.0.0",
        .description = "what each account holds",
    };
    pub const Payload = struct { from: []const u8, to: []const u8, amount: i64 };
    pub const Value = struct { amount: i64 = 0, payments: u64 = 0 };

    pub fn keys(_: *const Event, paid: *const Payload, to: *Keys) !void {
        to.print("account/{s}", .{paid.from});
        to.print("account/{s}", .{paid.to});
    }

    pub fn fold(balance: *Value, _: *const Event, paid: *const Payload, key: []const u8) !void {
        balance.amount += if (std.mem.endsWith(u8, key, paid.from)) -paid.amount else paid.amount;
        balance.payments += 1;
    }

    pub fn keep(balance: *const Value) bool {
        return balance.amount != 0;
    }
};

fn payments() []Event {
    const names = [_][]const u8{ "ann", "bob", "cid", "dan" };
    const events = memory.many(Event, 200);
    for (events, 0..) |*event, i| {
        event.* = testing.event("paid", .{ .from = names[i % 3], .to = names[(i * 7 + 1) % 4], .amount = i % 5 });
    }
    return events;
}

test "where batches are cut does not matter" {
    var whole: testing.Harness(Balances) = .{};
    try whole.apply(payments());
    for ([_]usize{ 1, 2, 3, 7, 199 }) |size| {
        var cut: testing.Harness(Balances) = .{ .batch_size = size };
        try cut.apply(payments());
        try std.testing.expectEqualDeep(whole.entries(), cut.entries());
    }
}

test "a value not worth keeping has no entry and starts afresh" {
    var harness: testing.Harness(Balances) = .{};
    const there = testing.event("paid", .{ .from = "ann", .to = "bob", .amount = 5 });
    const back = testing.event("paid", .{ .from = "bob", .to = "ann", .amount = 5 });
    try harness.apply(&.{ there, back });
    try std.testing.expectEqual(0, harness.entries().len);
    try harness.apply(&.{there});
    try std.testing.expectEqualDeep(Balances.Value{ .amount = 5, .payments = 1 }, harness.get(Balances.Value, "account/bob"));
}

test "a batch with an unreadable event changes nothing and the error says why" {
    var harness: testing.Harness(Balances) = .{};
    const good = testing.event("paid", .{ .from = "ann", .to = "bob", .amount = 5 });
    const bad = testing.event("paid", .{ .from = "ann", .to = "bob", .amount = "5" });
    try harness.expectFailure(&.{ good, bad }, "paid, schema version 1: cannot read the payload: field \"amount\": expected an integer, found a text");
    try std.testing.expectEqual(0, harness.entries().len);
}
