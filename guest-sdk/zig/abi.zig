//! The canonical ABI by hand: what a core module exports and imports, and how values lie in memory.
//!
//! Layouts in bytes, from wit/v0.1; a string or list is a pointer and a length, an option a byte that says whether its value,
//! behind it, is there. The extern structs below are exactly these:
//!
//!     event      sequence 0, stream 8, version 16, event-type 24, schema-version 32, recorded-at 40,
//!                payload 48 (case, 52 bytes); 64 in all
//!     change     key 0, value 8 (there, 12 bytes); 20
//!     entry      key 0, value 8; 16
//!     envelope   id 0, occurred-at 8 (there, 16 value), actor 24, causation-id 36, correlation-id 48, metadata 60,
//!                tags 68; 80
//!     manifest   of a projection: name 0, version 8, description 16, event-types 24, categories 32,
//!                payload-encoding 40, state-encoding 41, views 44; 52
//!                of an upcaster: name 0, version 8, description 16, steps 24, payload-encoding 32; 36
//!     view       name 0, prefix 8, description 16; 24
//!     step       event-type 0, schema-version 8, new-event-type 12 (there, 16 text); 24
//!     result     whether it is an error 0, what it holds 4; 12
//!
//! What does not fit one core value is returned through a pointer: to the caller's memory for imports, to the callee's
//! for exports. Nothing has to be freed behind a call, so there is no `cabi_post_...`.

const context = @import("context.zig");
const failure = @import("failure.zig");
const imports = @import("imports.zig");
const keyed = @import("keyed.zig");
const log_levels = @import("log.zig");
const manifests = @import("manifest.zig");
const memory = @import("memory.zig");
const state = @import("state.zig");
const std = @import("std");
const Event = @import("event.zig").Event;
const Payload = @import("event.zig").Payload;

const Slice = extern struct {
    pointer: usize,
    length: usize,

    fn of(bytes: []const u8) Slice {
        return .{ .pointer = @intFromPtr(bytes.ptr), .length = bytes.len };
    }

    fn list(elements: anytype) Slice {
        return .{ .pointer = @intFromPtr(elements.ptr), .length = elements.len };
    }

    fn get(slice: Slice) []const u8 {
        return slice.items(u8);
    }

    fn items(slice: Slice, comptime T: type) []const T {
        // An empty list's pointer may be anything, null included.
        if (slice.length == 0) return &.{};
        return @as([*]const T, @ptrFromInt(slice.pointer))[0..slice.length];
    }
};

const Option = extern struct {
    there: u8,
    value: Slice,

    fn of(bytes: ?[]const u8) Option {
        return .{ .there = @intFromBool(bytes != null), .value = .of(bytes orelse "") };
    }

    fn get(option: Option) ?[]const u8 {
        return if (option.there == 0) null else option.value.get();
    }
};

const AbiEvent = extern struct {
    sequence: u64,
    stream: Slice,
    version: u64,
    event_type: Slice,
    schema_version: u32,
    recorded_at: u64,
    payload: AbiPayload,
};

const AbiPayload = extern struct { encoding: u8, bytes: Slice };
const AbiChange = extern struct { key: Slice, value: Option };
const AbiEntry = extern struct { key: Slice, value: Slice };
const AbiPair = extern struct { name: Slice, value: Slice };
const AbiTime = extern struct { there: u8, value: i64 };

const AbiEnvelope = extern struct {
    id: Slice,
    occurred_at: AbiTime,
    actor: Option,
    causation_id: Option,
    correlation_id: Option,
    metadata: Slice,
    tags: Slice,
};

const AbiMaybeEnvelope = extern struct { there: u8, envelope: AbiEnvelope };
const AbiView = extern struct { name: Slice, prefix: Slice, description: Slice };
const AbiStep = extern struct { event_type: Slice, schema_version: u32, new_event_type: Option };
const AbiResult = extern struct { is_error: u8, value: Slice };

const AbiManifest = extern struct {
    name: Slice,
    version: Slice,
    description: Slice,
    event_types: Slice,
    categories: Slice,
    payload_encoding: u8,
    state_encoding: u8,
    views: Slice,
};

const AbiUpcasterManifest = extern struct {
    name: Slice,
    version: Slice,
    description: Slice,
    steps: Slice,
    payload_encoding: u8,
};

comptime {
    for (.{
        .{ AbiEvent, 64 },         .{ AbiChange, 20 }, .{ AbiEntry, 16 }, .{ AbiEnvelope, 80 },
        .{ AbiMaybeEnvelope, 88 }, .{ AbiView, 24 },   .{ AbiStep, 24 },  .{ AbiManifest, 52 },
        .{ AbiUpcasterManifest, 36 },
    }) |size| std.debug.assert(@sizeOf(size[0]) == size[1]);
    std.debug.assert(@offsetOf(AbiEvent, "payload") == 48);
    std.debug.assert(@offsetOf(AbiEnvelope, "tags") == 68);
}

// ---- Imports ----

const state_imports = struct {
    extern "polyfold:plugin/state@0.1.0" fn get(key: usize, length: usize, answer: *Option) void;
    extern "polyfold:plugin/state@0.1.0" fn @"get-many"(keys: usize, count: usize, answer: *Slice) void;
    extern "polyfold:plugin/state@0.1.0" fn put(key: usize, key_length: usize, value: usize, value_length: usize) void;
    extern "polyfold:plugin/state@0.1.0" fn delete(key: usize, length: usize) void;
    extern "polyfold:plugin/state@0.1.0" fn write(changes: usize, count: usize) void;
    extern "polyfold:plugin/state@0.1.0" fn scan(
        prefix: usize,
        prefix_length: usize,
        has_after: u32,
        after: usize,
        after_length: usize,
        limit: u32,
        answer: *Slice,
    ) void;
};

const context_imports = struct {
    extern "polyfold:plugin/context@0.1.0" fn @"envelope-of"(sequence: u64, answer: *AbiMaybeEnvelope) void;
    extern "polyfold:plugin/context@0.1.0" fn parameters(answer: *Slice) void;
};

const logging_imports = struct {
    extern "polyfold:plugin/logging@0.1.0" fn log(level: u32, message: usize, length: usize) void;
};

pub fn get(key: []const u8) ?[]const u8 {
    var answer: Option = undefined;
    state_imports.get(@intFromPtr(key.ptr), key.len, &answer);
    return answer.get();
}

pub fn getMany(keys: []const []const u8) []const ?[]const u8 {
    const list = slices(keys);
    var answer: Slice = undefined;
    state_imports.@"get-many"(@intFromPtr(list.ptr), list.len, &answer);
    const values = memory.many(?[]const u8, keys.len);
    for (values, answer.items(Option)) |*value, option| value.* = option.get();
    return values;
}

pub fn put(key: []const u8, value: []const u8) void {
    state_imports.put(@intFromPtr(key.ptr), key.len, @intFromPtr(value.ptr), value.len);
}

pub fn delete(key: []const u8) void {
    state_imports.delete(@intFromPtr(key.ptr), key.len);
}

pub fn write(changes: []const state.Change) void {
    const list = memory.many(AbiChange, changes.len);
    for (list, changes) |*to, change| to.* = .{ .key = .of(change.key), .value = .of(change.value) };
    state_imports.write(@intFromPtr(list.ptr), list.len);
}

/// Where the host's answer to a scan goes.
var page_piece: ?*imports.Piece = null;

pub fn scan(prefix: []const u8, after: ?[]const u8, limit: u32, piece: ?*imports.Piece) []const state.Entry {
    const behind: Option = .of(after);
    var answer: Slice = undefined;
    page_piece = piece;
    state_imports.scan(
        @intFromPtr(prefix.ptr),
        prefix.len,
        behind.there,
        behind.value.pointer,
        behind.value.length,
        limit,
        &answer,
    );
    const size = answer.length * @sizeOf(state.Entry);
    const at = if (piece) |own| own.allocate(size, @alignOf(state.Entry)) else memory.allocate(size, @alignOf(state.Entry));
    page_piece = null;
    const entries = @as([*]state.Entry, @ptrFromInt(at))[0..answer.length];
    for (entries, answer.items(AbiEntry)) |*entry, from| entry.* = .{ .key = from.key.get(), .value = from.value.get() };
    return entries;
}

pub fn envelopeOf(sequence: u64) ?context.Envelope {
    var answer: AbiMaybeEnvelope = undefined;
    context_imports.@"envelope-of"(sequence, &answer);
    if (answer.there == 0) return null;
    const from = answer.envelope;
    const metadata = memory.many(context.Metadata, from.metadata.length);
    for (metadata, from.metadata.items(AbiPair)) |*to, pair| to.* = .{ .name = pair.name.get(), .value = pair.value.get() };
    const tags = memory.many([]const u8, from.tags.length);
    for (tags, from.tags.items(Slice)) |*to, tag| to.* = tag.get();
    return .{
        .id = from.id.get(),
        .occurred_at = if (from.occurred_at.there == 0) null else from.occurred_at.value,
        .actor = from.actor.get(),
        .causation_id = from.causation_id.get(),
        .correlation_id = from.correlation_id.get(),
        .metadata = metadata,
        .tags = tags,
    };
}

pub fn parameters() []const u8 {
    var answer: Slice = undefined;
    context_imports.parameters(&answer);
    return answer.get();
}

pub fn log(level: log_levels.Level, message: []const u8) void {
    logging_imports.log(@intFromEnum(level), @intFromPtr(message.ptr), message.len);
}

// ---- Exports ----

/// How the host gets memory for what it hands over.
fn cabiRealloc(old: usize, old_size: usize, alignment: usize, size: usize) callconv(.c) usize {
    if (old_size == 0) if (page_piece) |piece| return piece.allocate(size, alignment);
    return memory.reallocate(old, old_size, size, alignment);
}

pub fn exportProjection(comptime Projection: type) void {
    const exported = struct {
        fn describe() callconv(.c) *const AbiManifest {
            return manifestOf(Projection.manifest);
        }

        fn apply(events: [*]const AbiEvent, count: usize) callconv(.c) *const AbiResult {
            keyed.apply(Projection, eventsOf(events[0..count])) catch |err| return failed(err);
            return result(.{ .is_error = 0, .value = .of("") });
        }
    };
    @export(&cabiRealloc, .{ .name = "cabi_realloc" });
    @export(&exported.describe, .{ .name = "polyfold:plugin/projection@0.1.0#describe" });
    @export(&exported.apply, .{ .name = "polyfold:plugin/projection@0.1.0#apply" });
}

pub fn exportUpcaster(comptime Upcaster: type) void {
    const exported = struct {
        fn describe() callconv(.c) *const AbiUpcasterManifest {
            return upcasterManifestOf(Upcaster.manifest);
        }

        fn upcast(events: [*]const AbiEvent, count: usize) callconv(.c) *const AbiResult {
            const answers = memory.many(AbiPayload, count);
            for (answers, eventsOf(events[0..count])) |*answer, *event| {
                const payload: Payload = Upcaster.upcast(event) catch |err| return failed(err);
                answer.* = switch (payload) {
                    .cbor => |bytes| .{ .encoding = 0, .bytes = .of(bytes) },
                    .json => |text| .{ .encoding = 1, .bytes = .of(text) },
                };
            }
            return result(.{ .is_error = 0, .value = .list(answers) });
        }
    };
    @export(&cabiRealloc, .{ .name = "cabi_realloc" });
    @export(&exported.describe, .{ .name = "polyfold:plugin/upcaster@0.1.0#describe" });
    @export(&exported.upcast, .{ .name = "polyfold:plugin/upcaster@0.1.0#upcast" });
}

fn one(value: anytype) *const @TypeOf(value) {
    const place = memory.many(@TypeOf(value), 1);
    place[0] = value;
    return &place[0];
}

fn result(value: AbiResult) *const AbiResult {
    return one(value);
}

fn failed(err: anyerror) *const AbiResult {
    return result(.{ .is_error = 1, .value = .of(failure.textOf(err)) });
}

fn eventsOf(events: []const AbiEvent) []const Event {
    const list = memory.many(Event, events.len);
    for (list, events) |*to, *event| {
        const bytes = event.payload.bytes.get();
        to.* = .{
            .sequence = event.sequence,
            .stream = event.stream.get(),
            .version = event.version,
            .event_type = event.event_type.get(),
            .schema_version = event.schema_version,
            .recorded_at = event.recorded_at,
            .payload = if (event.payload.encoding == 0) .{ .cbor = bytes } else .{ .json = bytes },
        };
    }
    return list;
}

fn slices(texts: []const []const u8) []const Slice {
    const list = memory.many(Slice, texts.len);
    for (list, texts) |*to, text| to.* = .of(text);
    return list;
}

fn manifestOf(manifest: manifests.Manifest) *const AbiManifest {
    const views = memory.many(AbiView, manifest.views.len);
    for (views, manifest.views) |*to, view| to.* = .{
        .name = .of(view.name),
        .prefix = .of(view.prefix),
        .description = .of(view.description),
    };
    return one(AbiManifest{
        .name = .of(manifest.name),
        .version = .of(manifest.version),
        .description = .of(manifest.description),
        .event_types = .list(slices(manifest.event_types)),
        .categories = .list(slices(manifest.categories)),
        .payload_encoding = @intFromEnum(manifest.payload_encoding),
        .state_encoding = @intFromEnum(manifest.state_encoding),
        .views = .list(views),
    });
}

fn upcasterManifestOf(manifest: manifests.UpcasterManifest) *const AbiUpcasterManifest {
    const steps = memory.many(AbiStep, manifest.steps.len);
    for (steps, manifest.steps) |*to, step| to.* = .{
        .event_type = .of(step.event_type),
        .schema_version = step.schema_version,
        .new_event_type = .of(step.new_event_type),
    };
    return one(AbiUpcasterManifest{
        .name = .of(manifest.name),
        .version = .of(manifest.version),
        .description = .of(manifest.description),
        .steps = .list(steps),
        .payload_encoding = @intFromEnum(manifest.payload_encoding),
    });
}
