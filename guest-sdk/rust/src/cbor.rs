//! CBOR (RFC 8949) for serde: borrowing, canonical on reading, deterministic on writing.
//!
//! Written for this place rather than taken from a crate: it borrows strings, lets a whole number stand where a struct
//! has a float (a payload born as JSON holds `10` and `10.5` in different types), names the field in its errors, and
//! bounds its depth, because a stack overflow is not deterministic.

mod de;
mod float;
mod ser;
mod value;

pub(crate) use de::Decoder;
pub(crate) use ser::write_text;
pub use value::Value;

use serde::{Deserialize, Serialize};

/// Nesting that is still read; a stack overflow would not be the same on every machine.
const DEPTH_MAX: u8 = 128;

/// Major types, as they stand in the three high bits of an item's first byte.
mod major {
    pub(crate) const UNSIGNED: u8 = 0;
    pub(crate) const NEGATIVE: u8 = 1;
    pub(crate) const BYTES: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
    pub(crate) const ARRAY: u8 = 4;
    pub(crate) const MAP: u8 = 5;
    pub(crate) const TAG: u8 = 6;
    // 7, simple values and floats, is what remains.
}

/// Why something could not be read or written, and in which field.
pub struct Error(Box<Inner>);

struct Inner {
    /// The way to the value, outermost first: `delay.arrival`, `legs[3].origin`.
    path: String,
    message: String,
}

impl Error {
    fn message(text: impl std::fmt::Display) -> Self {
        Self(Box::new(Inner { path: String::new(), message: text.to_string() }))
    }

    /// Puts the name of the field around it before the way so far.
    fn within(mut self, name: &str) -> Self {
        let dot = if self.0.path.is_empty() || self.0.path.starts_with('[') { "" } else { "." };
        self.0.path = format!("{name}{dot}{}", self.0.path);
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "field \"{}\": ", self.0.path)?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        Self::message(text)
    }
}

impl serde::ser::Error for Error {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        Self::message(text)
    }
}

/// Reads one value, which must be all there is; text and bytes may borrow from `bytes`.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    let mut decoder = Decoder::new(bytes);
    let value = T::deserialize(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}

/// Writes one value: shortest forms, struct fields as declared, maps ordered by their keys, so that a `HashMap` gives
/// the same bytes in every run.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(64);
    value.serialize(ser::Encoder::new(&mut out))?;
    Ok(out)
}

/// Opens a map of this many entries, which the caller writes in order.
pub(crate) fn write_map_head(out: &mut Vec<u8>, length: usize) {
    ser::write_head(out, major::MAP, length as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashMap};

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Kind {
        Plain,
        Wrapped(u8),
        Tuple(i8, i8),
        Named { x: f64 },
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Everything<'a> {
        name: &'a str,
        delay: f64,
        small: i64,
        none: Option<u8>,
        some: Option<u8>,
        kinds: Vec<Kind>,
        map: BTreeMap<String, bool>,
        unit: (),
    }

    #[test]
    fn what_is_written_reads_back() {
        let value = Everything {
            name: "N14228",
            delay: -3.25,
            small: i64::MIN,
            none: None,
            some: Some(255),
            kinds: vec![Kind::Plain, Kind::Wrapped(7), Kind::Tuple(-1, 1), Kind::Named { x: 1e300 }],
            map: BTreeMap::from([("b".into(), true), ("aa".into(), false)]),
            unit: (),
        };
        let bytes = to_vec(&value).unwrap();
        assert_eq!(from_slice::<Everything<'_>>(&bytes).unwrap(), value);
    }

    #[test]
    fn examples_of_the_rfc_are_written_as_it_says() {
        let check = |value: serde_json::Value, hex: &str| {
            let bytes = to_vec(&value).unwrap();
            let found: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(found, hex, "{value}");
            assert_eq!(from_slice::<serde_json::Value>(&bytes).unwrap(), value);
        };
        check(serde_json::json!(0), "00");
        check(serde_json::json!(24), "1818");
        check(serde_json::json!(1_000_000), "1a000f4240");
        check(serde_json::json!(u64::MAX), "1bffffffffffffffff");
        check(serde_json::json!(-1000), "3903e7");
        check(serde_json::json!(0.0), "f90000");
        check(serde_json::json!(1.5), "f93e00");
        check(serde_json::json!(65504.0), "f97bff");
        check(serde_json::json!(5.960_464_477_539_063e-8), "f90001");
        check(serde_json::json!(100_000.0), "fa47c35000");
        check(serde_json::json!(1.1), "fb3ff199999999999a");
        check(serde_json::json!(null), "f6");
        check(serde_json::json!("ü"), "62c3bc");
        check(serde_json::json!([1, [2, 3]]), "8201820203");
        check(serde_json::json!({"a": 1, "b": [2, 3]}), "a26161016162820203");
    }

    #[test]
    fn a_whole_number_reads_as_a_float() {
        #[derive(Deserialize)]
        struct Amount {
            euros: f64,
        }
        for (json, euros) in [(serde_json::json!({"euros": 10}), 10.0), (serde_json::json!({"euros": -2}), -2.0)] {
            let bytes = to_vec(&json).unwrap();
            assert_eq!(from_slice::<Amount>(&bytes).unwrap().euros, euros);
        }
    }

    #[test]
    fn a_map_is_written_in_the_order_of_its_encoded_keys() {
        let names = ["zz", "a", "ccc", "b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"];
        let map: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        let bytes = to_vec(&map).unwrap();
        let mut decoder = Decoder::new(&bytes);
        let mut read = Vec::new();
        for _ in 0..decoder.map_length().unwrap() {
            read.push(decoder.text().unwrap());
            decoder.skip().unwrap();
        }
        assert_eq!(read, ["a", "b", "zz", "ccc", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]);
    }

    #[test]
    fn fields_that_a_struct_does_not_name_can_be_collected_or_refused() {
        #[derive(Deserialize)]
        struct Open {
            a: u8,
            #[serde(flatten)]
            others: BTreeMap<String, u8>,
        }
        #[derive(Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        struct Closed {
            #[expect(dead_code, reason = "only read to fail")]
            a: u8,
        }
        let bytes = to_vec(&serde_json::json!({"a": 1, "b": 2})).unwrap();
        let open = from_slice::<Open>(&bytes).unwrap();
        assert_eq!((open.a, open.others), (1, BTreeMap::from([("b".to_owned(), 2)])));
        let error = from_slice::<Closed>(&bytes).unwrap_err().to_string();
        assert!(error.contains("unknown field `b`"), "{error}");
    }

    #[test]
    fn an_error_names_the_field() {
        #[derive(Deserialize, Debug)]
        struct Delay {
            #[expect(dead_code, reason = "only read to fail")]
            arrival: i64,
        }
        #[derive(Deserialize, Debug)]
        struct Flight {
            #[expect(dead_code, reason = "only read to fail")]
            legs: Vec<Delay>,
        }
        let bytes = to_vec(&serde_json::json!({"legs": [{"arrival": 1}, {"arrival": "late"}]})).unwrap();
        let error = from_slice::<Flight>(&bytes).unwrap_err().to_string();
        assert_eq!(error, "field \"legs[1].arrival\": invalid type: string \"late\", expected i64");
    }

    #[test]
    fn broken_input_is_an_error_and_never_a_panic() {
        let check = |bytes: &[u8], says: &str| {
            let error = from_slice::<serde_json::Value>(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{bytes:02x?}: {error}");
        };
        check(&[], "ends");
        check(&[0x19, 0x01], "ends");
        check(&[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "ends");
        check(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "ends");
        check(&[0x5f], "indefinite");
        check(&[0x62, 0xff, 0xff], "UTF-8");
        check(&[0x01, 0x02], "behind");
        check(&[0x81; 1000], "nested");
        check(&[0xff], "indefinite");
    }
}
