//! What each country has ordered: a projection of order.placed events.

const polyfold = @import("polyfold");
const std = @import("std");

/// What is read from an event's payload.
const Order = struct {
    country: []const u8,
    euros: f64,
};

/// What is kept for a country.
const Country = struct {
    orders: u64 = 0,
    euros: f64 = 0,
};

const Revenue = struct {
    pub const manifest: polyfold.Manifest = .{
        .name = "{{name}}",
        .version = "0.1.0",
        .description = "what each country has ordered",
        .event_types = &.{"order.placed"},
        .views = &.{.{ .name = "countries", .prefix = "country/", .description = "orders and euros by country" }},
    };

    pub const Payload = Order;
    pub const Value = Country;

    pub fn payload(event: *const polyfold.Event) !Order {
        try event.expectSchemaVersion(1, "update this plugin");
        return event.read(Order);
    }

    pub fn keys(event: *const polyfold.Event, order: *const Order, to: *polyfold.Keys) !void {
        if (order.euros < 0) return polyfold.fail("{s} costs {d} euros, less than nothing", .{ event.stream, order.euros });
        to.print("country/{s}", .{order.country});
    }

    pub fn fold(country: *Country, _: *const polyfold.Event, order: *const Order, _: []const u8) !void {
        country.orders += 1;
        country.euros += order.euros;
    }
};

comptime {
    polyfold.exportProjection(Revenue);
}

pub const panic = polyfold.panic;

const testing = polyfold.testing;

test "orders add up" {
    var harness: testing.Harness(Revenue) = .{ .batch_size = 2 };
    try harness.apply(&.{
        testing.event("order.placed", .{ .country = "FR", .euros = 10 }),
        testing.event("order.placed", .{ .country = "DE", .euros = 1.25 }),
        testing.event("order.placed", .{ .country = "FR", .euros = 2.5 }),
    });
    try std.testing.expectEqualDeep(Country{ .orders = 2, .euros = 12.5 }, harness.get(Country, "country/FR"));
    try std.testing.expectEqualDeep(Country{ .orders = 1, .euros = 1.25 }, harness.get(Country, "country/DE"));
}

test "an order of less than nothing is refused" {
    var harness: testing.Harness(Revenue) = .{};
    const order = testing.event("order.placed", .{ .country = "FR", .euros = -2.5 });
    try harness.expectFailure(&.{order}, "test/1 costs -2.5 euros, less than nothing");
    try std.testing.expectEqual(0, harness.entries().len);
}

test "another schema version is refused" {
    var harness: testing.Harness(Revenue) = .{};
    var order = testing.event("order.placed", .{ .country = "FR", .cents = 100 });
    order.schema_version = 2;
    const text = "order.placed, schema version 2: expected schema version 1: update this plugin";
    try harness.expectFailure(&.{order}, text);
}
