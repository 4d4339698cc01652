//! What the traces must say, worked out by hand from the specification: the Rust plugin recorded them, and may be wrong.

use polyfold::cbor;

/// Entries by their key: a value's bytes in hexadecimal, or as JSON where that leaves nothing open.
pub(super) const ENTRIES: [(&str, &str); 52] = [
    ("echo/integer 9007199254740993", "1b0020000000000001"),
    ("echo/integer 18446744073709551615", "1bffffffffffffffff"),
    ("echo/integer -9223372036854775808", "3b7fffffffffffffff"),
    ("echo/integer -18446744073709551616", "3bffffffffffffffff"),
    ("echo/float -0e0", "f98000"),
    ("echo/float 1e0", "f93c00"),
    ("echo/float 6.5504e4", "f97bff"),
    ("echo/float 6.5505e4", "fa477fe100"),
    ("echo/float 5.960464477539063e-8", "f90001"),
    ("echo/float 2.9802322387695313e-8", "fa33000000"),
    ("echo/float 1.1e0", "fb3ff199999999999a"),
    ("echo/float 3.4028234663852886e38", "fa7f7fffff"),
    ("echo/float 3.4028235677973366e38", "fb47effffff0000000"),
    ("echo/float 5e-324", "fb0000000000000001"),
    ("echo/float 1e21", "fb444b1ae4d6e2ef50"),
    ("echo/float 9.007199254740992e15", "fa5a000000"),
    ("echo/float 3.0000000000000004e-1", "fb3fd3333333333334"),
    ("echo/float inf", "f97c00"),
    ("echo/float NaN", "f97e00"),
    ("echo/text empty", "60"),
    ("echo/text NUL", "63610062"),
    ("echo/text one letter in two code points", "6365cc81"),
    ("echo/text clef", "64f09d849e"),
    ("echo/bytes 24", "5818000102030405060708090a0b0c0d0e0f1011121314151617"),
    ("echo/tag of 2^64", "c249010000000000000000"),
    ("echo/empty map", "a0"),
    ("echo/empty array", "80"),
    ("echo/short keys first", "a4600361610461620262616101"),
    ("echo/an integer and a text of one look", "a20167696e7465676572613164746578 74"),
    ("echo/keys in the order of UTF-8", "a364efbfbd620364efbfbf610264f090808001"),
    ("echo/again", "67616e6f74686572"),
    ("sum/past 2^53", r#"{"count":3,"int":9007199254740994,"float":0.6000000000000001}"#),
    // The float is infinite.
    ("sum/up", "a363696e741b7ffffffffffffffe65636f756e740365666c6f6174f97c00"),
    ("sum/down", r#"{"count":2,"int":-1,"float":0.0}"#),
    ("sum/negative zero", r#"{"count":1,"int":0,"float":-0.0}"#),
    ("sum/two negative zeros", r#"{"count":2,"int":0,"float":-0.0}"#),
    ("sum/zeros of both signs", r#"{"count":2,"int":0,"float":0.0}"#),
    ("sum/whole", r#"{"count":2,"int":3,"float":3.0}"#),
    ("sum/absorbed", r#"{"count":3,"int":-9007199254740991,"float":0.0}"#),
    ("sum/tenths", r#"{"count":12,"int":25769803764,"float":1.2}"#),
    ("divide/-7 by 2", r#"{"quotient":-3,"remainder":-1}"#),
    ("divide/7 by -2", r#"{"quotient":-3,"remainder":1}"#),
    ("divide/-9223372036854775808 by -1", r#"{"quotient":9223372036854775808,"remainder":0}"#),
    ("divide/9007199254740993 by 3", r#"{"quotient":3002399751580331,"remainder":0}"#),
    ("floats/minus first", r#"{"sum":0.0,"mean":0.0,"min":-0.0,"max":0.0,"root":0.0}"#),
    (
        "floats/tenths",
        r#"{"sum":0.9999999999999999,"mean":0.09999999999999999,"min":0.1,"max":0.1,"root":0.31622776601683794}"#,
    ),
    ("floats/root of two", r#"{"sum":-2.0,"mean":-2.0,"min":-2.0,"max":-2.0,"root":1.4142135623730951}"#),
    ("text/e\u{301}", r#"{"bytes":3,"code_points":2}"#),
    ("text/\u{1d11e}", r#"{"bytes":4,"code_points":1}"#),
    ("echo/y", "null"),
    ("echo/last wins", "2"),
    ("fill/p/02499", "1909c3"),
];

/// Keys that must not be there.
pub(super) const ABSENT: [&str; 8] = [
    "echo/b",
    "echo/x",
    "echo/gone",
    "echo/never there",
    "sum/beyond",
    "divide/5 by 0",
    "floats/none",
    "fill/none/00000",
];

/// What the events of these messages fail with, each at least once.
pub(super) const MESSAGES: [&str; 8] = [
    "",
    "two\nlines",
    "division by zero",
    "no values",
    "sum/up does not fit 64 bits",
    "sum/beyond does not fit 64 bits",
    "unknown op ",
    "unknown op \u{1d11e}",
];

/// What becomes of payloads in the upcaster: what is stored, and what it is lifted to.
pub(super) const LIFTED: [(&str, &str, &str, &str); 6] = [
    ("sample 1", "{}", "sample 3", r#"{"lifted":2}"#),
    (
        "sample 1",
        r#"{"int":1,"float":1.0,"text":"e\u0301","z":{}}"#,
        "sample 3",
        r#"{"lifted":2,"integer":1,"measure":{"value":1.0},"texts":["e\u0301"],"z":{}}"#,
    ),
    (
        "sample 2",
        r#"{"int":1,"float":1.0,"text":"e\u0301","z":{}}"#,
        "sample 3",
        r#"{"lifted":2,"int":1,"float":1.0,"texts":["e\u0301"],"z":{}}"#,
    ),
    ("sample 3", "{}", "sample 3", "{}"),
    ("specimen 1", "{}", "sample 3", r#"{"lifted":2,"was":"specimen"}"#),
    ("specimen 2", "{}", "specimen 2", "{}"),
];

/// The bytes that an expected value stands for.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let is_hex =
        digits.len() >= 2 && digits.len().is_multiple_of(2) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex {
        return (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    }
    cbor::from_json(text).unwrap().into_bytes()
}
