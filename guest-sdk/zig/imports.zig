//! The host's functions: those of the component on wasm, those of the test harness elsewhere.

const builtin = @import("builtin");
const memory = @import("memory.zig");

const host = if (builtin.cpu.arch.isWasm()) @import("abi.zig") else @import("testing.zig").host;

pub const get = host.get;
pub const getMany = host.getMany;
pub const put = host.put;
pub const delete = host.delete;
pub const write = host.write;
pub const scan = host.scan;
pub const envelopeOf = host.envelopeOf;
pub const parameters = host.parameters;
pub const log = host.log;

/// Memory for the pages of one scan: each takes the place of the one before. What does not fit goes to the arena, and is
/// counted; the next page then gets a larger piece, so what is left behind stays bounded.
pub const Piece = struct {
    bytes: []align(8) u8 = &.{},
    wanted: usize = 0,

    pub fn renew(piece: *Piece) void {
        if (piece.wanted > piece.bytes.len) {
            const start: [*]align(8) u8 = @ptrFromInt(memory.allocate(piece.wanted * 2, 8));
            piece.bytes = start[0 .. piece.wanted * 2];
        }
        piece.wanted = 0;
    }

    pub fn allocate(piece: *Piece, size: usize, alignment: usize) usize {
        const at = (piece.wanted + alignment - 1) & ~(alignment - 1);
        piece.wanted = at + size;
        if (piece.wanted > piece.bytes.len) return memory.allocate(size, alignment);
        return @intFromPtr(piece.bytes.ptr) + at;
    }
};
