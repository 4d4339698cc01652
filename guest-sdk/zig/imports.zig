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
    start: usize = 0,
    size: usize = 0,
    wanted: usize = 0,

    pub fn renew(piece: *Piece) void {
        if (piece.wanted > piece.size) {
            piece.size = piece.wanted * 2;
            piece.start = memory.allocate(piece.size, 8);
        }
        piece.wanted = 0;
    }

    /// Returns the address of `size` bytes.
    pub fn allocate(piece: *Piece, size: usize, alignment: usize) usize {
        const at = (piece.wanted + alignment - 1) & ~(alignment - 1);
        piece.wanted = at + size;
        // Without a piece there is no address to give, not even for nothing.
        if (piece.start == 0 or piece.wanted > piece.size) return memory.allocate(size, alignment);
        return piece.start + at;
    }
};
