//! Writes canonical CBOR of JSON text while it is parsed: no tree of values is built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::canonical::{self, ARRAY, MAP, TEXT};
use super::{DEPTH_MAX, Error};

/// Makes CBOR of JSON text, canonical but for the order of keys, unless they are sorted too.
pub(super) fn parse(json: &str, sorts: bool) -> Result<Vec<u8>, Error> {
    let mut item = Item { out: Vec::with_capacity(json.len()), depth: DEPTH_MAX, sorts, twice: None };
    let mut parser = serde_json::Deserializer::from_str(json);
    let parsed = (&mut item).deserialize(&mut parser).and_then(|()| parser.end());
    match (parsed, item.twice) {
        (Err(_), Some(key)) => Err(Error::DuplicateKey(key)),
        (Err(error), None) => Err(Error::Json(error.to_string())),
        (Ok(()), _) => Ok(item.out),
    }
}

/// Where the next item goes.
struct Item {
    out: Vec<u8>,
    depth: usize,
    /// Whether keys are brought into order.
    sorts: bool,
    /// The key that ended the parsing, because it stood in its map before.
    twice: Option<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Item {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Item {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push(0xf6);
        Ok(())
    }

    fn visit_bool<E>(self, is: bool) -> Result<(), E> {
        self.out.push(if is { 0xf5 } else { 0xf4 });
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        canonical::write_integer(number.into(), &mut self.out);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        canonical::write_integer(number.into(), &mut self.out);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        canonical::write_float(number, &mut self.out);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        canonical::write_string(TEXT, text.as_bytes(), &mut self.out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let start = self.begin()?;
        let mut count = 0;
        while items.next_element_seed(&mut *self)?.is_some() {
            count += 1;
        }
        self.end(start, ARRAY, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let start = self.begin()?;
        let mut places: Vec<Place> = Vec::new();
        loop {
            let key = self.out.len();
            if entries.next_key_seed(&mut *self)?.is_none() {
                break;
            }
            let value = self.out.len();
            entries.next_value_seed(&mut *self)?;
            places.push(Place { key, value, end: self.out.len() });
        }
        self.sort(start, &mut places).map_err(A::Error::custom)?;
        self.end(start, MAP, places.len() as u64);
        Ok(())
    }
}

/// Where an entry of a map lies.
#[derive(Clone, Copy)]
struct Place {
    key: usize,
    value: usize,
    end: usize,
}

impl Item {
    fn begin<E: serde::de::Error>(&mut self) -> Result<usize, E> {
        // The parser's own limit is the same, so this one is never the first.
        self.depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("recursion limit exceeded"))?;
        Ok(self.out.len())
    }

    /// Puts the head before what was written since `start`, now that the count is known.
    fn end(&mut self, start: usize, major: u8, count: u64) {
        self.depth += 1;
        let behind = self.out.len();
        canonical::write_head(major, count, &mut self.out);
        let head_bytes = self.out.len() - behind;
        self.out[start..].rotate_right(head_bytes);
    }

    /// Brings the entries written since `start` into the order of their keys.
    fn sort(&mut self, start: usize, places: &mut [Place]) -> Result<(), &'static str> {
        let key = |place: &Place| &self.out[place.key..place.value];
        if !self.sorts || places.is_sorted_by(|one, next| key(one) < key(next)) {
            return Ok(());
        }
        places.sort_by(|one, other| key(one).cmp(key(other)));
        if let Some(twice) = places.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            self.twice = super::to_json(key(&twice[0])).ok();
            return Err("a key stands twice");
        }
        let sorted: Vec<u8> = places.iter().flat_map(|place| &self.out[place.key..place.end]).copied().collect();
        self.out[start..].copy_from_slice(&sorted);
        Ok(())
    }
}
