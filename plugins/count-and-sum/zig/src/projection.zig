//! Minutes in the air by tail number, of flights in schema version 1: what benchmarks measure.

const polyfold = @import("polyfold");

const CountAndSum = struct {
    pub const manifest: polyfold.Manifest = .{
        .name = "count-and-sum",
        .version = "0.1.0",
        .description = "flights and minutes in the air by tail number",
        .event_types = &.{"flight.arrived"},
    };

    pub const Payload = struct { tailnum: ?[]const u8, air_time: u64 };
    pub const Value = struct { count: u64 = 0, sum: u64 = 0 };

    pub fn keys(_: *const polyfold.Event, arrival: *const Payload, to: *polyfold.Keys) !void {
        if (arrival.tailnum) |tail| to.add(tail);
    }

    pub fn fold(total: *Value, _: *const polyfold.Event, arrival: *const Payload, _: []const u8) !void {
        total.count += 1;
        total.sum += arrival.air_time;
    }
};

comptime {
    polyfold.exportProjection(CountAndSum);
}

pub const panic = polyfold.panic;
