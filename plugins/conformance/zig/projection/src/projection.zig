//! The conformance projection in Zig: see ../../../README.md, the specification.

const polyfold = @import("polyfold");
const std = @import("std");
const cbor = polyfold.cbor;
const state = polyfold.state;
const Event = polyfold.Event;

const Conformance = struct {
    pub const manifest: polyfold.Manifest = .{
        .name = "conformance",
        .version = "1.0.0",
        .description = "what every language must make of the same events",
        .event_types = &.{"probe"},
        .views = &.{.{ .name = "echoes", .prefix = "echo/", .description = "values as they came" }},
    };

    pub fn apply(events: []const Event) !void {
        try polyfold.each(events, applyEvent);
    }
};

comptime {
    polyfold.exportProjection(Conformance);
}

pub const panic = polyfold.panic;

const Op = enum {
    echo,
    delete,
    sum,
    divide,
    floats,
    text,
    large,
    fill,
    scan,
    many,
    write,
    context,
    parameters,
    log,
    fail,
};

fn applyEvent(event: *const Event) !void {
    const name = (try event.read(struct { op: []const u8 })).op;
    const op = std.meta.stringToEnum(Op, name) orelse return polyfold.fail("unknown op {s}", .{name});
    switch (op) {
        .echo => try echo(event),
        .delete => try delete(event),
        .sum => try sum(event),
        .divide => try divide(event),
        .floats => try floats(event),
        .text => try text(event),
        .large => try large(event),
        .fill => try fill(event),
        .scan => try scan(event),
        .many => try many(event),
        .write => try write(event),
        .context => try context(event),
        .parameters => state.put("parameters", polyfold.context.parametersJson()),
        .log => try log(event),
        .fail => return polyfold.failText((try event.read(struct { message: []const u8 })).message),
    }
}

fn echoKey(key: []const u8) []const u8 {
    return polyfold.print("echo/{s}", .{key});
}

fn echo(event: *const Event) !void {
    const op = try event.read(struct { key: []const u8, value: cbor.Value });
    state.put(echoKey(op.key), op.value);
}

fn delete(event: *const Event) !void {
    state.delete(echoKey((try event.read(struct { key: []const u8 })).key));
}

const Sums = struct { count: u64, int: i64, float: f64 };

fn sum(event: *const Event) !void {
    const op = try event.read(struct { key: []const u8, int: i128, float: f64 });
    const key = polyfold.print("sum/{s}", .{op.key});
    const before = try state.get(Sums, key);
    const int = op.int + if (before) |sums| sums.int else 0;
    state.put(key, Sums{
        .count = 1 + if (before) |sums| sums.count else 0,
        .int = std.math.cast(i64, int) orelse return polyfold.fail("{s} does not fit 64 bits", .{key}),
        // Not 0.0 + float: that would lose the sign of -0.0.
        .float = if (before) |sums| sums.float + op.float else op.float,
    });
}

fn divide(event: *const Event) !void {
    const op = try event.read(struct { key: []const u8, a: i64, b: i64 });
    if (op.b == 0) return polyfold.fail("division by zero", .{});
    // In 128 bits, because -2^63 / -1 does not fit 64.
    const a: i128 = op.a;
    state.put(polyfold.print("divide/{s}", .{op.key}), .{ .quotient = @divTrunc(a, op.b), .remainder = @rem(a, op.b) });
}

fn floats(event: *const Event) !void {
    const op = try event.read(struct { key: []const u8, values: []const f64 });
    if (op.values.len == 0) return polyfold.fail("no values", .{});
    const first = op.values[0];
    var total = first;
    var min = first;
    var max = first;
    for (op.values[1..]) |value| {
        total += value;
        max = greater(max, value);
        min = -greater(-min, -value);
    }
    state.put(polyfold.print("floats/{s}", .{op.key}), .{
        .sum = total,
        .mean = total / @as(f64, @floatFromInt(op.values.len)),
        .min = min,
        .max = max,
        .root = @sqrt(@abs(first)),
    });
}

/// The greater of two; NaN if one is, and 0.0 rather than -0.0. `@max` passes NaN over.
fn greater(a: f64, b: f64) f64 {
    if (std.math.isNan(a) or std.math.isNan(b)) return std.math.nan(f64);
    if (a == b) return if (std.math.signbit(a)) b else a;
    return if (a > b) a else b;
}

fn text(event: *const Event) !void {
    const value = (try event.read(struct { value: []const u8 })).value;
    const code_points = try std.unicode.utf8CountCodepoints(value);
    state.put(polyfold.print("text/{s}", .{value}), .{ .bytes = value.len, .code_points = code_points });
}

fn large(event: *const Event) !void {
    const op = try event.read(struct { key_bytes: u32, value_bytes: u32, seed: u32 });
    const prefix = "large/";
    if (op.key_bytes < prefix.len) return polyfold.fail("key_bytes is below {d}", .{prefix.len});
    if (op.value_bytes < 65_541) return polyfold.fail("value_bytes is below 65541, where the head has 5 bytes", .{});
    const key = polyfold.memory.many(u8, op.key_bytes);
    @memset(key, 'k');
    @memcpy(key[0..prefix.len], prefix);
    const content = polyfold.memory.many(u8, op.value_bytes - 5);
    for (content, 0..) |*byte, i| byte.* = @truncate(i *% 31 +% op.seed);
    state.put(key, cbor.Bytes{ .bytes = content });
}

fn fill(event: *const Event) !void {
    const op = try event.read(struct { prefix: []const u8, count: u32 });
    const changes = polyfold.memory.many(state.Change, op.count);
    for (changes, 0..) |*change, i| change.* = .{
        .key = polyfold.print("fill/{s}/{d:0>5}", .{ op.prefix, i }),
        .value = cbor.encode(i),
    };
    state.write(changes);
}

fn scan(event: *const Event) !void {
    const op = try event.read(struct { prefix: []const u8, page: u32 });
    var pages = state.iterate(op.prefix);
    pages.page_size = op.page;
    var hash: std.hash.Fnv1a_32 = .init();
    var entries: u64 = 0;
    var bytes: u64 = 0;
    while (pages.next()) |entry| {
        hash.update(entry.key);
        hash.update(entry.value);
        entries += 1;
        bytes += entry.key.len + entry.value.len;
    }
    const key = polyfold.print("scan/{d}", .{event.sequence});
    state.put(key, .{ .entries = entries, .bytes = bytes, .hash = hash.final() });
}

fn many(event: *const Event) !void {
    const names = (try event.read(struct { keys: []const []const u8 })).keys;
    const keys = polyfold.memory.many([]const u8, names.len);
    for (keys, names) |*key, name| key.* = echoKey(name);
    var found: u64 = 0;
    var bytes: u64 = 0;
    for (state.getMany(keys)) |maybe| if (maybe) |value| {
        found += 1;
        bytes += value.len;
    };
    state.put(polyfold.print("many/{d}", .{event.sequence}), .{ .found = found, .bytes = bytes });
}

fn write(event: *const Event) !void {
    const entries = (try event.read(struct { entries: []const []const cbor.Value })).entries;
    const changes = polyfold.memory.many(state.Change, entries.len);
    for (changes, entries) |*change, entry| {
        const well_formed = (entry.len == 1 or entry.len == 2) and entry[0] == .text;
        if (!well_formed) return event.fail("an entry to write is a key, and a value or none", .{});
        change.* = .{
            .key = echoKey(entry[0].text),
            .value = if (entry.len == 2) cbor.encode(entry[1]) else null,
        };
    }
    state.write(changes);
}

fn context(event: *const Event) !void {
    const envelope = polyfold.context.envelopeOf(event.sequence) orelse return event.fail("there is no envelope", .{});
    const metadata = polyfold.memory.many(cbor.Value.Entry, envelope.metadata.len);
    for (metadata, envelope.metadata) |*to, pair| to.* = .{ .key = .{ .text = pair.name }, .value = .{ .text = pair.value } };
    state.put(polyfold.print("context/{d}", .{event.sequence}), .{
        .id = envelope.id,
        .actor = envelope.actor,
        .occurred_at = envelope.occurred_at,
        .causation_id = envelope.causation_id,
        .correlation_id = envelope.correlation_id,
        .metadata = cbor.Value{ .map = metadata },
        .tags = envelope.tags,
        .sequence = event.sequence,
        .stream = event.stream,
        .version = event.version,
        .event_type = event.event_type,
        .schema_version = event.schema_version,
        .recorded_at = event.recorded_at,
    });
}

fn log(event: *const Event) !void {
    const op = try event.read(struct { level: polyfold.log.Level, message: []const u8 });
    polyfold.log.write(op.level, op.message);
}

const testing = polyfold.testing;

fn probe(harness: *testing.Harness(Conformance), payload: anytype) !void {
    try harness.apply(&.{testing.event("probe", payload)});
}

test "a sum is exact, keeps the sign of zero, and may not leave 64 bits" {
    var harness: testing.Harness(Conformance) = .{};
    try probe(&harness, .{ .op = "sum", .key = "a", .int = std.math.maxInt(i64), .float = -0.0 });
    const sums = harness.get(Sums, "sum/a").?;
    try std.testing.expect(std.math.signbit(sums.float) and sums.int == std.math.maxInt(i64));
    const over = testing.event("probe", .{ .op = "sum", .key = "a", .int = 1, .float = 1.0 });
    try harness.expectFailure(&.{over}, "sum/a does not fit 64 bits");
}

test "pages of any size give the same entries" {
    var harness: testing.Harness(Conformance) = .{};
    try probe(&harness, .{ .op = "fill", .prefix = "p", .count = 2500 });
    for ([_]u32{ 1, 7, 1000, 5000 }) |page| try probe(&harness, .{ .op = "scan", .prefix = "fill/", .page = page });
    const Scanned = struct { entries: u64, bytes: u64, hash: u32 };
    const first = harness.get(Scanned, "scan/2").?;
    try std.testing.expectEqual(2500, first.entries);
    for ([_][]const u8{ "scan/3", "scan/4", "scan/5" }) |key| {
        try std.testing.expectEqualDeep(first, harness.get(Scanned, key).?);
    }
}

test "an unknown op is refused by name" {
    var harness: testing.Harness(Conformance) = .{};
    try harness.expectFailure(&.{testing.event("probe", .{ .op = "jump" })}, "unknown op jump");
}
