//! A value of any kind: for what has no type of its own in a plugin.

use super::{DEPTH_MAX, Decoder, Error, float, major, ser};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Any CBOR value. Integers and floats stay apart, tags stay, and writing gives the canonical form, whatever the order
/// of a map's entries.
///
/// ```
/// use polyfold_guest::cbor::{self, Value};
///
/// let value = cbor::from_slice::<Value>(&[0xa1, 0x61, b'a', 0xf9, 0x3c, 0x00]).unwrap();
/// assert_eq!(value.field("a"), Some(&Value::Float(1.0)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// From -2^64 to 2^64 - 1; anything beyond cannot be written.
    Integer(i128),
    Float(f64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Tag(u64, Box<Value>),
}

impl Value {
    /// The value of a map's field; none if it is not there or this is no map.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| matches!(key, Self::Text(text) if text == name)).map(|(_, value)| value)
    }

    /// Reads one item; `depth` levels may follow.
    fn read(decoder: &mut Decoder<'_>, depth: u8) -> Result<Self, Error> {
        let initial = decoder.peek()?;
        let (kind, number) = decoder.head()?;
        let inside = || depth.checked_sub(1).ok_or_else(|| Error::message("nested too deep"));
        Ok(match kind {
            major::UNSIGNED => Self::Integer(number.into()),
            major::NEGATIVE => Self::Integer(-1 - i128::from(number)),
            major::BYTES => Self::Bytes(decoder.take(number)?.to_vec()),
            major::TEXT => Self::Text(decoder.text_of(number)?.to_owned()),
            major::ARRAY => {
                let depth = inside()?;
                Self::Array((0..number).map(|_| Self::read(decoder, depth)).collect::<Result<_, _>>()?)
            }
            major::MAP => {
                let depth = inside()?;
                let mut entry = |_| Ok((Self::read(decoder, depth)?, Self::read(decoder, depth)?));
                Self::Map((0..number).map(&mut entry).collect::<Result<_, Error>>()?)
            }
            major::TAG => Self::Tag(number, Box::new(Self::read(decoder, inside()?)?)),
            _ => match initial {
                0xf4 => Self::Bool(false),
                0xf5 => Self::Bool(true),
                0xf6 | 0xf7 => Self::Null,
                0xf9 => Self::Float(float::from_half(number as u16)),
                0xfa => Self::Float(f32::from_bits(number as u32).into()),
                0xfb => Self::Float(f64::from_bits(number)),
                _ => return Err(Error::message(format_args!("simple value {number} is not supported"))),
            },
        })
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Null => out.push(0xf6),
            Self::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Self::Integer(value) => value.serialize(ser::Encoder::new(out))?,
            Self::Float(value) => value.serialize(ser::Encoder::new(out))?,
            Self::Bytes(bytes) => {
                ser::write_head(out, major::BYTES, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => ser::write_text(out, text),
            Self::Array(items) => {
                ser::write_head(out, major::ARRAY, items.len() as u64);
                items.iter().try_for_each(|item| item.write(out))?;
            }
            Self::Map(entries) => write_map(entries, out)?,
            Self::Tag(tag, value) => {
                ser::write_head(out, major::TAG, *tag);
                value.write(out)?;
            }
        }
        Ok(())
    }
}

fn write_map(entries: &[(Value, Value)], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut by_key = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let mut bytes = Vec::new();
        key.write(&mut bytes)?;
        by_key.push((bytes, value));
    }
    by_key.sort_by(|(a, _), (b, _)| a.cmp(b));
    if by_key.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::message("a map has the same key twice"));
    }
    ser::write_head(out, major::MAP, by_key.len() as u64);
    for (key, value) in by_key {
        out.extend_from_slice(&key);
        value.write(out)?;
    }
    Ok(())
}

// Serde knows neither tags nor integers of 65 bits, so a value goes through it as its bytes, under a name that only this
// codec knows.
pub(super) const AS_BYTES: &str = "polyfold_guest::cbor::Value";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Written<'a>(&'a [u8]);

        impl Serialize for Written<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }

        let mut out = Vec::new();
        self.write(&mut out).map_err(serde::ser::Error::custom)?;
        serializer.serialize_newtype_struct(AS_BYTES, &Written(&out))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromBytes;

        impl Visitor<'_> for FromBytes {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of CBOR")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
                Value::read(&mut Decoder::new(bytes), DEPTH_MAX).map_err(E::custom)
            }
        }

        deserializer.deserialize_newtype_struct(AS_BYTES, FromBytes)
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident($value:ident) $as:expr),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$variant($as)
            }
        }
    )*};
}
from! {
    bool => Bool(value) value,
    i32 => Integer(value) value.into(),
    i64 => Integer(value) value.into(),
    u64 => Integer(value) value.into(),
    f64 => Float(value) value,
    &str => Text(value) value.into(),
    String => Text(value) value,
    Vec<Value> => Array(value) value,
}

#[cfg(test)]
mod tests {
    use crate::cbor::{from_slice, to_vec};

    use super::*;

    #[test]
    fn what_is_canonical_stays_bit_by_bit() {
        let check = |hex: &str| {
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            assert_eq!(to_vec(&from_slice::<Value>(&bytes).unwrap()).unwrap(), bytes, "{hex}");
        };
        for hex in
            ["00", "1bffffffffffffffff", "20", "3bffffffffffffffff", "f98000", "f93c00", "f97e00", "fb3ff199999999999a"]
        {
            check(hex);
        }
        for hex in ["40", "42ff00", "60", "64f09f8c8d", "80", "a0", "f6", "f4", "f5", "c249010000000000000000"] {
            check(hex);
        }
        check("a501604120f6616180c24000f90000a0");
    }

    #[test]
    fn a_map_in_any_order_is_written_in_the_canonical_one() {
        let map = Value::Map(vec![("b".into(), 1.into()), ("aa".into(), 2.into()), (10.into(), 3.into())]);
        assert_eq!(to_vec(&map).unwrap(), [0xa3, 0x0a, 3, 0x61, b'b', 1, 0x62, b'a', b'a', 2]);
        let twice = Value::Map(vec![("b".into(), 1.into()), ("b".into(), 2.into())]);
        assert_eq!(to_vec(&twice).unwrap_err().to_string(), "a map has the same key twice");
    }

    #[test]
    fn a_value_stands_in_a_struct_as_any_type_does() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Named {
            name: String,
            value: Value,
            others: Vec<Option<Value>>,
        }
        let tagged = Value::Tag(2, Box::new(Value::Bytes(vec![1; 9])));
        let others = vec![Some(Value::Integer(-(1 << 64))), None, Some(Value::Map(vec![]))];
        let named = Named { name: "x".into(), value: tagged, others };
        assert_eq!(from_slice::<Named>(&to_vec(&named).unwrap()).unwrap(), named);
    }

    #[test]
    fn depth_is_bounded_and_broken_input_is_an_error() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0x00]].concat();
        assert!(from_slice::<Value>(&nested(128)).is_ok());
        assert!(from_slice::<Value>(&nested(129)).is_err());
        for broken in
            [&[][..], &[0x61], &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], &[0xff], &[0x61, 0xff], &[0, 0]]
        {
            assert!(from_slice::<Value>(broken).is_err(), "{broken:02x?}");
        }
    }
}
