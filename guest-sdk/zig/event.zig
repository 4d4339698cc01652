//! An event, and what can be asked of it.

const cbor = @import("cbor.zig");
const failure = @import("failure.zig");
const memory = @import("memory.zig");
const std = @import("std");

/// What an event says, in the encoding that the manifest asks for.
pub const Payload = union(enum) {
    cbor: []const u8,
    json: []const u8,

    /// Makes a payload from a value, in canonical CBOR.
    pub fn of(value: anytype) Payload {
        return .{ .cbor = cbor.encode(value) };
    }
};

/// An immutable fact.
pub const Event = struct {
    /// Position in the log: 1, 2, 3 ...
    sequence: u64 = 0,
    /// `category/name`
    stream: []const u8,
    /// Position in the stream: 1, 2, 3 ...
    version: u64 = 0,
    event_type: []const u8,
    /// Of the payload's shape, from 1; upcasters raise it.
    schema_version: u32 = 1,
    /// When the log took it, in microseconds since 1970.
    recorded_at: u64 = 0,
    payload: Payload,

    /// Reads the payload. Texts point into the event, whole numbers fit float fields, fields that the type does not name
    /// are passed over. An error names the event's type, its schema version and the field.
    pub fn read(event: *const Event, comptime T: type) !T {
        switch (event.payload) {
            .cbor => |bytes| return cbor.decode(T, bytes) catch
                event.fail("cannot read the payload: {s}", .{cbor.problem()}),
            .json => return event.fail("the payload is JSON, as the manifest asks: read payload.json", .{}),
        }
    }

    /// The part of the stream's name before the first `/`.
    pub fn category(event: *const Event) []const u8 {
        const slash = std.mem.findScalar(u8, event.stream, '/') orelse return event.stream;
        return event.stream[0..slash];
    }

    /// The part of the stream's name behind the first `/`.
    pub fn streamName(event: *const Event) []const u8 {
        const slash = std.mem.findScalar(u8, event.stream, '/') orelse return "";
        return event.stream[slash + 1 ..];
    }

    /// Refuses an event of another schema version, telling the way out, for example which upcaster to install.
    pub fn expectSchemaVersion(event: *const Event, version: u32, way_out: []const u8) !void {
        if (event.schema_version == version) return;
        return event.fail("expected schema version {d}: {s}", .{ version, way_out });
    }

    /// Refuses the event: its type and schema version, then the message.
    pub fn fail(event: *const Event, comptime format: []const u8, arguments: anytype) error{Refused} {
        @branchHint(.cold);
        const message = memory.print(format, arguments);
        return failure.fail("{s}, schema version {d}: {s}", .{ event.event_type, event.schema_version, message });
    }
};
