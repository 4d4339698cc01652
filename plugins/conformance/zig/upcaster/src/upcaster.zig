//! The conformance upcaster in Zig: see ../../../README.md, the specification.

const polyfold = @import("polyfold");
const std = @import("std");

const ConformanceV2 = struct {
    pub const manifest: polyfold.UpcasterManifest = .{
        .name = "conformance-v2",
        .version = "1.0.0",
        .description = "what every language must lift alike",
        .steps = &.{
            .{ .event_type = "sample", .schema_version = 1 },
            .{ .event_type = "sample", .schema_version = 2 },
            .{ .event_type = "specimen", .schema_version = 1, .new_event_type = "sample" },
        },
    };

    pub fn upcast(event: *const polyfold.Event) !polyfold.Payload {
        var fields: polyfold.Fields = try .of(event);
        if (try fields.take(?[]const u8, "fail")) |message| return polyfold.failText(message);
        if (event.schema_version == 1) try lift(&fields) else try liftAgain(&fields);
        if (std.mem.eql(u8, event.event_type, "specimen")) fields.put("was", "specimen");
        return fields.payload();
    }

    fn lift(fields: *polyfold.Fields) !void {
        fields.put("lifted", 1);
        fields.rename("int", "integer");
        if (try fields.take(?f64, "float")) |float| fields.put("measure", .{ .value = float });
    }

    fn liftAgain(fields: *polyfold.Fields) !void {
        fields.put("lifted", 2);
        if (try fields.take(?[]const u8, "text")) |text| fields.put("texts", .{text});
    }
};

comptime {
    polyfold.exportUpcaster(ConformanceV2);
}

pub const panic = polyfold.panic;

const testing = polyfold.testing;

test "a sample goes through both steps and other fields stay" {
    var harness: testing.Harness(ConformanceV2) = .{};
    const sample = testing.event("sample", .{ .int = std.math.minInt(i64), .float = -0.0, .text = "𝄞", .nan = std.math.nan(f64) });
    const lifted = try harness.upcast(sample);
    const expected = polyfold.cbor.encode(.{
        .lifted = 2,
        .integer = std.math.minInt(i64),
        .measure = .{ .value = -0.0 },
        .texts = .{"𝄞"},
        .nan = std.math.nan(f64),
    });
    try std.testing.expectEqualStrings(expected, lifted.payload.cbor);
}

test "a specimen becomes a sample that says so" {
    var harness: testing.Harness(ConformanceV2) = .{};
    try harness.expectUpcast(testing.event("specimen", .{ .u64 = 1 }), .{ .lifted = 2, .was = "specimen", .u64 = 1 });
}
