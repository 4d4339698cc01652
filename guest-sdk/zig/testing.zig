//! Runs a plugin natively, without Wasm: the state is in memory, and tests look into it.
//!
//!     test "orders add up" {
//!         var harness: polyfold.testing.Harness(Revenue) = .{ .batch_size = 2 };
//!         try harness.apply(&.{polyfold.testing.event("order.placed", .{ .country = "FR", .euros = 10 })});
//!         try std.testing.expectEqual(10, (harness.get(Country, "country/FR") orelse return error.Missing).euros);
//!     }

const builtin = @import("builtin");
const cbor = @import("cbor.zig");
const context = @import("context.zig");
const failure = @import("failure.zig");
const imports = @import("imports.zig");
const keyed = @import("keyed.zig");
const log_levels = @import("log.zig");
const memory = @import("memory.zig");
const state = @import("state.zig");
const std = @import("std");
const Event = @import("event.zig").Event;
const Payload = @import("event.zig").Payload;

/// Not the plugin's arena: that one is given back behind every call.
const gpa = std.heap.page_allocator;

/// What the ABI allows; a host enforces it by a trap.
const events_per_call_max = 8192;
const key_bytes_max = 1024;
const value_bytes_max = 1024 * 1024;
const scan_page_max = 1000;
const scan_bytes_max = 4 * 1024 * 1024;

/// Makes an event of schema version 1 in the stream `test/1`. The harness gives it the next sequence and version.
pub fn event(event_type: []const u8, payload: anytype) Event {
    const bytes = gpa.dupe(u8, cbor.encode(payload)) catch @panic("out of memory");
    return .{ .stream = "test/1", .event_type = event_type, .payload = .{ .cbor = bytes } };
}

pub const Logged = struct { level: log_levels.Level, message: []const u8 };

/// What a host keeps for one plugin.
const Store = struct {
    entries: std.ArrayList(state.Entry) = .empty,
    envelopes: std.AutoHashMapUnmanaged(u64, context.Envelope) = .empty,
    parameters: []const u8 = "{}",
    logs: std.ArrayList(Logged) = .empty,
    versions: std.StringHashMapUnmanaged(u64) = .empty,
    head: u64 = 0,

    /// The place of the first entry whose key is not below this one.
    fn lowerBound(store: *const Store, key: []const u8) usize {
        return std.sort.lowerBound(state.Entry, store.entries.items, key, struct {
            fn order(wanted: []const u8, entry: state.Entry) std.math.Order {
                return std.mem.order(u8, wanted, entry.key);
            }
        }.order);
    }

    fn find(store: *const Store, key: []const u8) ?usize {
        const at = store.lowerBound(key);
        const there = at < store.entries.items.len and std.mem.eql(u8, store.entries.items[at].key, key);
        return if (there) at else null;
    }

    fn set(store: *Store, key: []const u8, value: ?[]const u8) !void {
        checkKey(key);
        const found = store.find(key);
        const bytes = value orelse {
            if (found) |at| _ = store.entries.orderedRemove(at);
            return;
        };
        if (bytes.len > value_bytes_max) std.debug.panic("the value of {s} has {d} bytes", .{ key, bytes.len });
        const entry: state.Entry = .{ .key = try gpa.dupe(u8, key), .value = try gpa.dupe(u8, bytes) };
        if (found) |at| store.entries.items[at] = entry else try store.entries.insert(gpa, store.lowerBound(key), entry);
    }

    /// Gives an event the place in log and stream that it does not have yet.
    fn place(store: *Store, placed: *Event) !void {
        const version = (try store.versions.getOrPutValue(gpa, placed.stream, 0)).value_ptr;
        version.* = if (placed.version == 0) version.* + 1 else placed.version;
        placed.version = version.*;
        store.head = if (placed.sequence == 0) store.head + 1 else placed.sequence;
        placed.sequence = store.head;
    }
};

/// The harness whose call is in hand.
var current: *Store = undefined;

/// A plugin with a state of its own, in place of a host.
pub fn Harness(comptime Plugin: type) type {
    return struct {
        const Self = @This();

        /// Cuts batches at this many events. A state must not depend on it: compare two harnesses.
        batch_size: usize = events_per_call_max,
        store: Store = .{},
        /// Why the last call failed.
        failed_with: ?[]const u8 = null,

        /// Applies the events that the manifest asks for, in batches. A batch that fails changes nothing, and ends it.
        pub fn apply(self: *Self, events: []const Event) !void {
            var wanted: std.ArrayList(Event) = .empty;
            for (events) |given| {
                var placed = given;
                try self.store.place(&placed);
                const is_wanted = wants(Plugin.manifest.event_types, placed.event_type) and
                    wants(Plugin.manifest.categories, placed.category());
                if (is_wanted) try wanted.append(gpa, placed);
            }
            var rest: []const Event = wanted.items;
            while (rest.len > 0) {
                const count = @min(rest.len, @max(1, @min(self.batch_size, events_per_call_max)));
                try self.call(rest[0..count]);
                rest = rest[count..];
            }
        }

        fn call(self: *Self, events: []const Event) !void {
            const before = memory.mark();
            defer memory.release(before);
            const entries_before = try self.store.entries.clone(gpa);
            current = &self.store;
            keyed.apply(Plugin, events) catch |err| {
                self.store.entries = entries_before;
                return self.fail(err);
            };
        }

        fn fail(self: *Self, err: anyerror) anyerror {
            self.failed_with = gpa.dupe(u8, failure.textOf(err)) catch @panic("out of memory");
            return err;
        }

        /// Expects that these events are refused, with this text.
        pub fn expectFailure(self: *Self, events: []const Event, text: []const u8) !void {
            self.apply(events) catch return std.testing.expectEqualStrings(text, self.failed_with.?);
            return error.ExpectedFailure;
        }

        /// Reads an entry's value; it panics if that is not of this type.
        pub fn get(self: *const Self, comptime T: type, key: []const u8) ?T {
            const at = self.store.find(key) orelse return null;
            return cbor.decode(T, self.store.entries.items[at].value) catch
                std.debug.panic("entry {s}: {s}", .{ key, cbor.problem() });
        }

        /// The whole state, in the order of its keys.
        pub fn entries(self: *const Self) []const state.Entry {
            return self.store.entries.items;
        }

        /// What the plugin has logged, failed calls included.
        pub fn logs(self: *const Self) []const Logged {
            return self.store.logs.items;
        }

        /// Sets the projection's parameters, JSON text.
        pub fn setParameters(self: *Self, json: []const u8) void {
            self.store.parameters = json;
        }

        /// Sets the rest of an event, for the plugin to ask for.
        pub fn setEnvelope(self: *Self, sequence: u64, envelope: context.Envelope) !void {
            try self.store.envelopes.put(gpa, sequence, envelope);
        }

        /// Lifts an event through every step that the upcaster has for it, as a host does.
        pub fn upcast(self: *Self, given: Event) !Event {
            var lifted = given;
            try self.store.place(&lifted);
            current = &self.store;
            steps: while (true) {
                for (Plugin.manifest.steps) |step| {
                    const fits = step.schema_version == lifted.schema_version and
                        std.mem.eql(u8, step.event_type, lifted.event_type);
                    if (!fits) continue;
                    failure.clear();
                    lifted.payload = Plugin.upcast(&lifted) catch |err| return self.fail(err);
                    lifted.schema_version += 1;
                    lifted.event_type = step.new_event_type orelse lifted.event_type;
                    continue :steps;
                }
                return lifted;
            }
        }

        /// Expects that an event comes out in this shape.
        pub fn expectUpcast(self: *Self, given: Event, payload: anytype) !void {
            const lifted = self.upcast(given) catch |err| {
                std.debug.print("refused: {s}\n", .{self.failed_with.?});
                return err;
            };
            const T = @TypeOf(payload);
            _ = T;
            const expected = try cbor.decode(cbor.Value, cbor.encode(payload));
            try std.testing.expectEqualDeep(expected, try cbor.decode(cbor.Value, lifted.payload.cbor));
        }
    };
}

fn wants(list: []const []const u8, name: []const u8) bool {
    for (list) |wanted| if (std.mem.eql(u8, wanted, name)) return true;
    return list.len == 0;
}

fn checkKey(key: []const u8) void {
    if (key.len < 1 or key.len > key_bytes_max) std.debug.panic("a key has {d} bytes, it must have 1 to 1,024", .{key.len});
}

/// What the plugin imports. What is handed over is a copy, as from a host.
pub const host = struct {
    pub fn get(key: []const u8) ?[]const u8 {
        checkKey(key);
        return memory.copy(current.entries.items[current.find(key) orelse return null].value);
    }

    pub fn getMany(keys: []const []const u8) []const ?[]const u8 {
        const values = memory.many(?[]const u8, keys.len);
        for (values, keys) |*value, key| value.* = get(key);
        return values;
    }

    pub fn put(key: []const u8, value: []const u8) void {
        change(key, value);
    }

    pub fn delete(key: []const u8) void {
        change(key, null);
    }

    pub fn write(changes: []const state.Change) void {
        for (changes) |each| change(each.key, each.value);
    }

    fn change(key: []const u8, value: ?[]const u8) void {
        current.set(key, value) catch @panic("out of memory");
    }

    pub fn scan(prefix: []const u8, after: ?[]const u8, limit: u32, _: ?*imports.Piece) []const state.Entry {
        var at = current.lowerBound(prefix);
        if (after) |key| if (std.mem.order(u8, key, prefix) != .lt) {
            at = if (current.find(key)) |found| found + 1 else current.lowerBound(key);
        };
        const page = memory.many(state.Entry, @min(limit, scan_page_max));
        var bytes: usize = 0;
        for (page, 0..) |*entry, count| {
            const ends = at == current.entries.items.len or bytes >= scan_bytes_max or
                !std.mem.startsWith(u8, current.entries.items[at].key, prefix);
            if (ends) return page[0..count];
            const found = current.entries.items[at];
            entry.* = .{ .key = memory.copy(found.key), .value = memory.copy(found.value) };
            bytes += found.key.len + found.value.len;
            at += 1;
        }
        return page;
    }

    pub fn envelopeOf(sequence: u64) ?context.Envelope {
        return current.envelopes.get(sequence);
    }

    pub fn parameters() []const u8 {
        return current.parameters;
    }

    pub fn log(level: log_levels.Level, message: []const u8) void {
        const copy = gpa.dupe(u8, message) catch @panic("out of memory");
        current.logs.append(gpa, .{ .level = level, .message = copy }) catch @panic("out of memory");
    }
};
