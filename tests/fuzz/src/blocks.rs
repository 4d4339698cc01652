//! What the log reads from its file: a block with its records and their envelopes, or an envelope alone.

/// The bytes of a block without its checksum, and the same bytes as an envelope.
pub fn run(data: &[u8]) {
    polyfold::log::fuzz::block(data);
    polyfold::log::fuzz::envelope(data);
}
