//! A second writer of canonical CBOR (RFC 8949 §4.2.1): slow, plain, and sharing nothing with the first.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ciborium::Value;
use polyfold::cbor::DEPTH_MAX;
use polyfold::event::Payload;

/// The canonical form of any CBOR item that may be a payload.
pub(super) fn write(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = item(&super::decode(bytes)?, DEPTH_MAX)?;
    (bytes.len() <= Payload::BYTES_MAX).then_some(bytes)
}

fn item(value: &Value, depth: usize) -> Option<Vec<u8>> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        Value::Null => vec![0xf6],
        Value::Bool(is) => vec![0xf4 + u8::from(*is)],
        Value::Integer(number) => match u64::try_from(*number) {
            Ok(number) => head(0, number),
            Err(_) => head(1, u64::try_from(-1 - i128::from(*number)).ok()?),
        },
        Value::Float(number) => float(*number),
        Value::Bytes(bytes) => [head(2, bytes.len() as u64), bytes.clone()].concat(),
        Value::Text(text) => [head(3, text.len() as u64), text.as_bytes().to_vec()].concat(),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|value| item(value, depth)).collect();
            [head(4, items.as_ref()?.len() as u64), items?.concat()].concat()
        }
        Value::Map(entries) => {
            let mut sorted = BTreeMap::new();
            for (key, value) in entries {
                sorted.insert(item(key, depth)?, item(value, depth)?);
            }
            // A key that stands twice makes it no payload.
            let entries = (sorted.len() == entries.len()).then_some(sorted)?;
            let count = head(5, entries.len() as u64);
            [count, entries.into_iter().flat_map(|(key, value)| [key, value].concat()).collect()].concat()
        }
        Value::Tag(tag, content) => [head(6, *tag), item(content, depth)?].concat(),
        _ => return None,
    })
}

fn head(major: u8, number: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    match number {
        0..24 => vec![major + bytes[7]],
        24..0x100 => [&[major + 24], &bytes[7..]].concat(),
        0x100..0x1_0000 => [&[major + 25], &bytes[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[major + 26], &bytes[4..]].concat(),
        _ => [&[major + 27], &bytes[..]].concat(),
    }
}

fn float(number: f64) -> Vec<u8> {
    if number.is_nan() {
        return vec![0xf9, 0x7e, 0x00];
    }
    if let Some(half) = HALVES.get(&number.to_bits()) {
        return [&[0xf9], &half.to_be_bytes()[..]].concat();
    }
    let single = number as f32;
    if f64::from(single) == number {
        return [&[0xfa], &single.to_be_bytes()[..]].concat();
    }
    [&[0xfb], &number.to_be_bytes()[..]].concat()
}

/// Every number that two bytes can say, by the bits that it has in eight.
static HALVES: LazyLock<BTreeMap<u64, u16>> = LazyLock::new(|| {
    let value = |half: u16| {
        let (sign, exponent, fraction) = (half >> 15, i32::from(half >> 10 & 31), f64::from(half & 0x3ff));
        let size = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if half & 0x3ff == 0 => f64::INFINITY,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if sign == 1 { -size } else { size }
    };
    let is_number = |half: &u16| half & 0x7c00 != 0x7c00 || half & 0x3ff == 0;
    (0..=u16::MAX).filter(is_number).map(|half| (value(half).to_bits(), half)).collect()
});
