//! Bends real bytes here and there: what is left of them leads further in than any bytes would.

/// Six bytes a bend: where (three of them), what, and with which numbers.
pub(crate) fn bent(real: &[u8], bends: &[u8]) -> Vec<u8> {
    let mut bytes = real.to_vec();
    for bend in bends.as_chunks::<6>().0 {
        let [a, b, c, what, count, value] = *bend;
        let at = u32::from_le_bytes([a, b, c, 0]) as usize % (bytes.len() + 1);
        let end = (at + usize::from(count)).min(bytes.len());
        match what % 6 {
            0 => bytes[at..end].fill(value),
            1 => bytes[at..end].iter_mut().for_each(|byte| *byte ^= value),
            2 => bytes[at..end].iter_mut().for_each(|byte| *byte = byte.wrapping_add(value)),
            3 => drop(bytes.splice(at..at, std::iter::repeat_n(value, count.into()))),
            4 => drop(bytes.drain(at..end)),
            // Something that stands elsewhere, so that a part stands twice.
            _ => {
                let from = (usize::from(value) << 8).min(bytes.len());
                let copy = bytes[from..(from + usize::from(count)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
    bytes
}
