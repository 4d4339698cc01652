//! `zig build test` runs the unit tests natively. The plugin itself is built by `polyfold plugin build`.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const polyfold = b.createModule(.{ .root_source_file = b.path("polyfold/polyfold.zig") });
    const plugin = b.createModule(.{
        .root_source_file = b.path("src/upcaster.zig"),
        .target = b.graph.host,
        .imports = &.{.{ .name = "polyfold", .module = polyfold }},
    });
    const tests = b.addRunArtifact(b.addTest(.{ .root_module = plugin }));
    b.step("test", "Run the unit tests").dependOn(&tests.step);
}
