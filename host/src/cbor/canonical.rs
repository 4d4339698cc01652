//! Writes a value in the one form of RFC 8949 §4.2.1: shortest heads and floats, keys in bytewise order.

use ciborium::Value;

use super::{Error, json};

const UNSIGNED: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
pub(super) const TEXT: u8 = 3 << 5;
pub(super) const ARRAY: u8 = 4 << 5;
pub(super) const MAP: u8 = 5 << 5;
const TAG: u8 = 6 << 5;

const TAG_POSITIVE_BIGNUM: u64 = 2;
const TAG_NEGATIVE_BIGNUM: u64 = 3;

/// Appends the canonical encoding of `value`, which may nest `depth` levels deep.
pub(super) fn write(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Integer(number) => write_integer(i128::from(*number), out),
        Value::Float(number) => write_float(*number, out),
        Value::Bytes(bytes) => write_string(BYTES, bytes, out),
        Value::Text(text) => write_string(TEXT, text.as_bytes(), out),
        Value::Array(items) => {
            write_head(ARRAY, items.len() as u64, out);
            for item in items {
                write(item, out, depth)?;
            }
        }
        Value::Map(entries) => write_map(entries, out, depth)?,
        Value::Tag(tag, content) => {
            write_head(TAG, *tag, out);
            write(content, out, depth)?;
        }
        other => return Err(Error::Cbor(format!("{other:?} is not supported"))),
    }
    Ok(())
}

fn write_map(entries: &[(Value, Value)], out: &mut Vec<u8>, depth: usize) -> Result<(), Error> {
    let mut by_key = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let mut bytes = Vec::new();
        write(key, &mut bytes, depth)?;
        by_key.push((bytes, key, value));
    }
    by_key.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(twice) = by_key.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let mut name = String::new();
        json::write(twice[0].1, &mut name);
        return Err(Error::DuplicateKey(name));
    }
    write_head(MAP, by_key.len() as u64, out);
    for (key, _, value) in by_key {
        out.extend_from_slice(&key);
        write(value, out, depth)?;
    }
    Ok(())
}

pub(super) fn write_integer(number: i128, out: &mut Vec<u8>) {
    let (major, tag, size) = match number {
        0.. => (UNSIGNED, TAG_POSITIVE_BIGNUM, number.unsigned_abs()),
        _ => (NEGATIVE, TAG_NEGATIVE_BIGNUM, (-1 - number).unsigned_abs()),
    };
    match u64::try_from(size) {
        Ok(size) => write_head(major, size, out),
        Err(_) => {
            let bytes = size.to_be_bytes();
            let first = bytes.iter().position(|byte| *byte != 0).expect("it does not fit 64 bits, so it is not zero");
            write_head(TAG, tag, out);
            write_string(BYTES, &bytes[first..], out);
        }
    }
}

/// Every NaN becomes the one quiet NaN, so that its bits carry no hidden data.
pub(super) fn write_float(number: f64, out: &mut Vec<u8>) {
    let number = if number.is_nan() { f64::NAN.copysign(1.0) } else { number };
    ciborium::into_writer(&Value::Float(number), out).expect("writing a float to memory cannot fail");
}

pub(super) fn write_string(major: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_head(major, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(super) fn write_head(major: u8, number: u64, out: &mut Vec<u8>) {
    match number {
        0..=23 => out.push(major | number as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, number as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}
