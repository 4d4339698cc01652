//! What the log reads from its file: blocks with their records, the rows beside them, and envelopes.

/// The bytes of a block or row without its checksum, and the same bytes as an envelope.
pub fn run(data: &[u8]) {
    polyfold::log::fuzz::block(data);
    polyfold::log::fuzz::index(data);
    polyfold::log::fuzz::envelope(data);
}
