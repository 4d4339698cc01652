//! Reading: a cursor over canonical CBOR that is a serde deserializer.

use super::{DEPTH_MAX, Error, float, major, value};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};

const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;

/// A place in CBOR.
pub(crate) struct Decoder<'de> {
    input: &'de [u8],
    at: usize,
    depth: u8,
}

impl<'de> Decoder<'de> {
    pub(crate) fn new(input: &'de [u8]) -> Self {
        Self { input, at: 0, depth: 0 }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.at == self.input.len() { Ok(()) } else { Err(Error::message("bytes behind the end of the value")) }
    }

    pub(crate) fn map_length(&mut self) -> Result<u64, Error> {
        match self.head()? {
            (major::MAP, length) => Ok(length),
            _ => Err(Error::message("not a map")),
        }
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'de str, Error> {
        match self.head()? {
            (major::TEXT, length) => self.text_of(length),
            _ => Err(Error::message("not a text")),
        }
    }

    /// Passes one item and returns its bytes.
    pub(crate) fn raw(&mut self) -> Result<&'de [u8], Error> {
        let start = self.at;
        self.skip()?;
        Ok(&self.input[start..self.at])
    }

    /// Passes one item with all that is inside it.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        let (kind, value) = self.head()?;
        match kind {
            major::UNSIGNED | major::NEGATIVE => Ok(()),
            major::BYTES | major::TEXT => self.take(value).map(drop),
            major::ARRAY => self.skip_items(value),
            major::MAP => self.skip_items(value.saturating_mul(2)),
            major::TAG => self.skip_items(1),
            _ => Ok(()),
        }
    }

    /// Passes this many items. A loop, not a recursion: depth costs no stack.
    fn skip_items(&mut self, mut left: u64) -> Result<(), Error> {
        while left > 0 {
            left -= 1;
            let (kind, value) = self.head()?;
            let inside = match kind {
                major::BYTES | major::TEXT => {
                    self.take(value)?;
                    0
                }
                major::ARRAY => value,
                major::MAP => value.saturating_mul(2),
                major::TAG => 1,
                _ => 0,
            };
            left = left.saturating_add(inside);
        }
        Ok(())
    }

    /// Reads an item's first byte and the number that belongs to it. For floats these are the bits.
    // Always inlined: a pair in a Result goes through memory otherwise, which doubled the cost of a field.
    #[inline(always)]
    pub(super) fn head(&mut self) -> Result<(u8, u64), Error> {
        let Some(&initial) = self.input.get(self.at) else { return Err(end()) };
        self.at += 1;
        let info = initial & 0x1f;
        let value = if info < 24 { u64::from(info) } else { self.long_number(info)? };
        Ok((initial >> 5, value))
    }

    #[inline(never)]
    fn long_number(&mut self, info: u8) -> Result<u64, Error> {
        match info {
            24 => self.bytes().map(|[byte]| u64::from(byte)),
            25 => self.bytes().map(|bytes| u64::from(u16::from_be_bytes(bytes))),
            26 => self.bytes().map(|bytes| u64::from(u32::from_be_bytes(bytes))),
            27 => self.bytes().map(u64::from_be_bytes),
            _ => Err(Error::message("indefinite lengths are not canonical")),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let Some(bytes) = self.input.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) else { return Err(end()) };
        self.at += N;
        Ok(*bytes)
    }

    #[inline]
    pub(super) fn take(&mut self, length: u64) -> Result<&'de [u8], Error> {
        let rest = &self.input[self.at..];
        if length > rest.len() as u64 {
            return Err(end());
        }
        let taken = &rest[..length as usize];
        self.at += taken.len();
        Ok(taken)
    }

    #[inline]
    pub(super) fn text_of(&mut self, length: u64) -> Result<&'de str, Error> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| Error::message("text is not UTF-8"))
    }

    pub(super) fn peek(&self) -> Result<u8, Error> {
        self.input.get(self.at).copied().ok_or_else(end)
    }

    fn simple<V: Visitor<'de>>(&mut self, initial: u8, value: u64, visitor: V) -> Result<V::Value, Error> {
        match initial {
            0xf4 => visitor.visit_bool(false),
            0xf5 => visitor.visit_bool(true),
            NULL | UNDEFINED => visitor.visit_unit(),
            0xf9 => visitor.visit_f64(float::from_half(value as u16)),
            0xfa => visitor.visit_f64(f64::from(f32::from_bits(value as u32))),
            0xfb => visitor.visit_f64(f64::from_bits(value)),
            _ => Err(Error::message(format_args!("simple value {value} is not supported"))),
        }
    }

    /// Runs `read` one level deeper.
    #[inline]
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEPTH_MAX {
            return Err(Error::message(format_args!("nested more than {DEPTH_MAX} levels deep")));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }
}

#[cold]
fn end() -> Error {
    Error::message("the value ends too early")
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let initial = self.peek()?;
        let (kind, value) = self.head()?;
        match kind {
            major::UNSIGNED => visitor.visit_u64(value),
            major::NEGATIVE => match i64::try_from(value) {
                Ok(value) => visitor.visit_i64(-1 - value),
                Err(_) => visitor.visit_i128(-1 - i128::from(value)),
            },
            major::BYTES => visitor.visit_borrowed_bytes(self.take(value)?),
            major::TEXT => visitor.visit_borrowed_str(self.text_of(value)?),
            major::ARRAY => self.nested(|decoder| {
                let mut items = Items { decoder, left: value, index: 0 };
                let found = visitor.visit_seq(&mut items)?;
                if items.left == 0 { Ok(found) } else { Err(de::Error::invalid_length(value as usize, &"fewer items")) }
            }),
            major::MAP => self.nested(|decoder| {
                let key = decoder.at;
                let mut entries = Entries { decoder, left: value, key };
                let found = visitor.visit_map(&mut entries)?;
                if entries.left == 0 { Ok(found) } else { Err(de::Error::invalid_length(value as usize, &"fewer")) }
            }),
            // A tag says how to understand what follows; the field's type already does.
            major::TAG => self.nested(|decoder| decoder.deserialize_any(visitor)),
            _ => self.simple(initial, value, visitor),
        }
    }

    // A field's name is only compared: whether it is UTF-8 shows by that, and checking it costs more than comparing.
    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek()? >> 5 != major::TEXT {
            return self.deserialize_any(visitor);
        }
        let (_, length) = self.head()?;
        visitor.visit_borrowed_bytes(self.take(length)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if matches!(self.peek()?, NULL | UNDEFINED) {
            self.at += 1;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == value::AS_BYTES {
            return visitor.visit_borrowed_bytes(self.raw()?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.peek()? >> 5 == major::TEXT {
            let name = self.text()?;
            return visitor.visit_enum(BorrowedStrDeserializer::new(name));
        }
        match self.head()? {
            (major::MAP, 1) => self.nested(|decoder| visitor.visit_enum(Variant { decoder })),
            _ => Err(Error::message("expected a variant: its name, or a map from its name to its content")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    // Payloads are born as JSON: dates, addresses and UUIDs are texts in them.
    fn is_human_readable(&self) -> bool {
        true
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct
    }
}

struct Items<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: u64,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let item = seed.deserialize(&mut *self.decoder).map_err(|e| e.within(&format!("[{}]", self.index)))?;
        self.index += 1;
        Ok(Some(item))
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

struct Entries<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: u64,
    /// Where the key in hand starts, to name it in an error.
    key: usize,
}

impl<'de> de::MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.key = self.decoder.at;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.decoder).map_err(|error| {
            let name = Decoder::new(&self.decoder.input[self.key..]).text().unwrap_or("?");
            error.within(name)
        })
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

struct Variant<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.decoder)?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.decoder.skip()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.decoder, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.decoder, visitor)
    }
}
