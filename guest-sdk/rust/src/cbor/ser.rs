//! Writing: shortest forms; struct fields as declared, map entries ordered by their encoded keys.

use super::{Decoder, Error, float, major, value};
use serde::Serialize;
use serde::ser;

/// Writes an item's first byte and its number in the shortest form.
#[inline]
pub(super) fn write_head(out: &mut Vec<u8>, kind: u8, value: u64) {
    let kind = kind << 5;
    match value {
        0..24 => out.push(kind | value as u8),
        24..0x100 => out.extend_from_slice(&[kind | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(kind | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(kind | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(kind | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_head(out, major::TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// What comes as bytes is CBOR already: a [`value::Value`].
    is_written: bool,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, is_written: false }
    }

    /// Opens `{variant: ...}`.
    fn variant(&mut self, name: &str) {
        write_head(self.out, major::MAP, 1);
        write_text(self.out, name);
    }

    fn float(self, value: f64) {
        if value.is_nan() {
            // One NaN for all of them, or two machines could differ.
            return self.out.extend_from_slice(&[0xf9, 0x7e, 0x00]);
        }
        let single = value as f32;
        if f64::from(single) != value {
            self.out.push(0xfb);
            return self.out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        match float::to_half(single) {
            Some(half) => {
                self.out.push(0xf9);
                self.out.extend_from_slice(&half.to_be_bytes());
            }
            None => {
                self.out.push(0xfa);
                self.out.extend_from_slice(&single.to_bits().to_be_bytes());
            }
        }
    }
}

macro_rules! integers {
    ($($method:ident $type:ident $as:ident),*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.$as(value.into())
        }
    )*};
}

impl<'a> ser::Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    integers! {
        serialize_i8 i8 serialize_i64, serialize_i16 i16 serialize_i64, serialize_i32 i32 serialize_i64,
        serialize_u8 u8 serialize_u64, serialize_u16 u16 serialize_u64, serialize_u32 u32 serialize_u64,
        serialize_f32 f32 serialize_f64
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.push(if value { 0xf5 } else { 0xf4 });
        Ok(())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        match u64::try_from(value) {
            Ok(value) => write_head(self.out, major::UNSIGNED, value),
            Err(_) => write_head(self.out, major::NEGATIVE, !value as u64),
        }
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        write_head(self.out, major::UNSIGNED, value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        let (kind, magnitude) = if value < 0 { (major::NEGATIVE, !value) } else { (major::UNSIGNED, value) };
        let magnitude = u64::try_from(magnitude).map_err(|_| Error::message("integer beyond 64 bits"))?;
        write_head(self.out, kind, magnitude);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.serialize_u64(u64::try_from(value).map_err(|_| Error::message("integer beyond 64 bits"))?)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        write_text(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        if !self.is_written {
            write_head(self.out, major::BYTES, value.len() as u64);
        }
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.push(0xf6);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(Self { is_written: name == value::AS_BYTES, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(Items { open: Open::new(self.out, major::ARRAY) })
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Items<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant);
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Error> {
        Ok(Entries { open: Open::new(self.out, major::MAP) })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Error> {
        Ok(Items { open: Open::new(self.out, major::MAP) })
    }

    fn serialize_struct_variant(
        mut self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant);
        self.serialize_struct(name, length)
    }

    // As the decoder: dates, addresses and UUIDs are texts.
    fn is_human_readable(&self) -> bool {
        true
    }
}

/// An array or map that is being written: its length is known at its end.
struct Open<'a> {
    out: &'a mut Vec<u8>,
    kind: u8,
    start: usize,
    count: u64,
}

impl<'a> Open<'a> {
    fn new(out: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = out.len();
        out.push(0); // room for a length below 24, which most have
        Self { out, kind, start, count: 0 }
    }

    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Encoder::new(self.out))
    }

    fn close(self) {
        let mut head = Vec::new();
        if self.count < 24 {
            self.out[self.start] = (self.kind << 5) | self.count as u8;
        } else {
            write_head(&mut head, self.kind, self.count);
            self.out.splice(self.start..=self.start, head);
        }
    }
}

/// Array items and struct fields: written as they come.
pub(super) struct Items<'a> {
    open: Open<'a>,
}

macro_rules! items {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.open.count += 1;
                self.open.write(value)
            }

            fn end(self) -> Result<(), Error> {
                self.open.close();
                Ok(())
            }
        }
    )*};
}
items!(
    SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.open.count += 1;
                write_text(self.open.out, name);
                self.open.write(value).map_err(|e| e.within(name))
            }

            fn end(self) -> Result<(), Error> {
                self.open.close();
                Ok(())
            }
        }
    )*};
}
fields!(SerializeStruct, SerializeStructVariant);

/// Map entries: put in order at the end, because a hash map's order is nobody's.
pub(super) struct Entries<'a> {
    open: Open<'a>,
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.open.count += 1;
        self.open.write(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.open.write(value)
    }

    fn end(self) -> Result<(), Error> {
        let body = self.open.out.split_off(self.open.start + 1);
        let mut decoder = Decoder::new(&body);
        let mut entries = Vec::with_capacity(self.open.count as usize);
        for _ in 0..self.open.count {
            entries.push((decoder.raw()?, decoder.raw()?));
        }
        entries.sort_unstable();
        if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Error::message("a map has the same key twice"));
        }
        for (key, value) in entries {
            self.open.out.extend_from_slice(key);
            self.open.out.extend_from_slice(value);
        }
        self.open.close();
        Ok(())
    }
}
