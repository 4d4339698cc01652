//! Headers of a tar archive (ustar, POSIX.1-1988), of which a backup in one file has exactly one form: whatever else stands
//! there is damage.

/// What everything in an archive is a multiple of.
pub(super) const BLOCK: usize = 512;
/// What an archive ends with.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// What 11 octal digits can say; beyond it stands a binary number, as GNU tar writes it.
const OCTAL_MAX: u64 = 0o77_777_777_777;
const NAME_BYTES: usize = 100;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// The header of a file, for its owner only; its name has 100 bytes at most.
pub(super) fn header(name: &str, bytes: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(0, &name.as_bytes()[..name.len().min(NAME_BYTES)]);
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if bytes <= OCTAL_MAX {
        put(SIZE.start, format!("{bytes:011o}\0").as_bytes());
    } else {
        put(SIZE.start, &[0x80, 0, 0, 0]);
        put(SIZE.start + 4, &bytes.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(CHECKSUM.start, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// The name and the size that a header says, if it is one of ours to the byte.
pub(super) fn parse(header: &[u8; BLOCK]) -> Option<(String, u64)> {
    let name = header[..NAME_BYTES].split(|byte| *byte == 0).next()?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    let size = &header[SIZE];
    let bytes = match size[0] {
        0x80 => u64::from_be_bytes(size[4..].try_into().ok()?),
        _ => u64::from_str_radix(std::str::from_utf8(&size[..11]).ok()?, 8).ok()?,
    };
    (!name.is_empty() && self::header(&name, bytes) == *header).then_some((name, bytes))
}

/// The zeros between a file's end and the next header.
pub(super) fn padding(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK as u64) - bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_found() {
        for bytes in [0, 1, 512, OCTAL_MAX, OCTAL_MAX + 1, u64::MAX / 2] {
            let whole = header("blocks/0123", bytes);
            assert_eq!(parse(&whole), Some(("blocks/0123".to_owned(), bytes)));
            for bit in 0..BLOCK * 8 {
                let mut flipped = whole;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&flipped), None, "bit {bit}");
            }
        }
        assert_eq!(parse(&[0; BLOCK]), None);
        assert_eq!([padding(0), padding(1), padding(512)], [0, 511, 0]);
    }
}
