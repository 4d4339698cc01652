//! Orders in cents: lifts order.placed from schema version 1 to 2.

const polyfold = @import("polyfold");
const std = @import("std");

const OrdersV2 = struct {
    pub const manifest: polyfold.UpcasterManifest = .{
        .name = "{{name}}",
        .version = "0.1.0",
        .description = "orders: cents in place of euros",
        .steps = &.{.{ .event_type = "order.placed", .schema_version = 1 }},
    };

    pub fn upcast(event: *const polyfold.Event) !polyfold.Payload {
        var fields: polyfold.Fields = try .of(event);
        const euros = try fields.take(f64, "euros");
        const cents = @round(euros * 100); // half a cent away from zero
        if (!(@abs(cents) < 0x1p63)) return event.fail("{d} euros are too many", .{euros});
        fields.put("cents", @as(i64, @intFromFloat(cents)));
        return fields.payload(); // all other fields stay, bit by bit
    }
};

comptime {
    polyfold.exportUpcaster(OrdersV2);
}

pub const panic = polyfold.panic;

const testing = polyfold.testing;

test "euros become cents, and all else stays" {
    var harness: testing.Harness(OrdersV2) = .{};
    const order = testing.event("order.placed", .{ .country = "FR", .euros = 9.5 });
    try harness.expectUpcast(order, .{ .country = "FR", .cents = 950 });
    try std.testing.expectEqual(2, (try harness.upcast(order)).schema_version);
}

test "half a cent is rounded away from zero" {
    var harness: testing.Harness(OrdersV2) = .{};
    try harness.expectUpcast(testing.event("order.placed", .{ .euros = 0.125 }), .{ .cents = 13 });
    try harness.expectUpcast(testing.event("order.placed", .{ .euros = -0.125 }), .{ .cents = -13 });
}

test "an order without euros is refused" {
    var harness: testing.Harness(OrdersV2) = .{};
    const order = testing.event("order.placed", .{ .country = "FR" });
    try std.testing.expectError(error.Refused, harness.upcast(order));
    try std.testing.expectEqualStrings("order.placed, schema version 1: missing field \"euros\"", harness.failed_with.?);
}
