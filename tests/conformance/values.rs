//! Values that tempt languages to change them, by the name that the trace knows them by.

use ciborium::Value;

/// A map whose keys are texts.
pub(super) fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn integer(number: i128) -> Value {
    Value::Integer(number.try_into().expect("it is within 64 bits and a sign"))
}

const TWO_53: i128 = 1 << 53;
const TWO_63: i128 = 1 << 63;
const TWO_64: i128 = 1 << 64;

/// Around the ends of every head, of what a float holds exactly, and of 64 bits with and without a sign.
const INTEGERS: [i128; 29] = [
    0,
    1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    4_294_967_295,
    4_294_967_296,
    TWO_53 - 1,
    TWO_53,
    TWO_53 + 1,
    TWO_63 - 1,
    TWO_63,
    TWO_64 - 1,
    -1,
    -24,
    -25,
    -256,
    -257,
    -65_537,
    -4_294_967_297,
    -TWO_53,
    -TWO_53 - 1,
    1 - TWO_63,
    -TWO_63,
    -TWO_63 - 1,
    -TWO_64,
];

/// Around what 16 and 32 bits hold, whole numbers, and what is written in a way that one can argue about.
const FLOATS: [f64; 39] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1.5,
    100.0,
    2_047.0,
    2_049.0,
    65_504.0,
    65_505.0,
    65_519.0,
    65_520.0,
    65_536.0,
    -65_504.0,
    // The least of 16 bits, half of it, the greatest below the normal ones, and the least of those.
    5.960_464_477_539_063e-8,
    2.980_232_238_769_531_3e-8,
    6.097_555_160_522_461e-5,
    6.103_515_625e-5,
    16_777_216.0,
    16_777_217.0,
    3.402_823_466_385_288_6e38,
    3.402_823_567_797_336_6e38,
    3.402_823_5e38,
    1.401_298_464_324_817e-45,
    7.006_492_321_624_085e-46,
    1.175_494_350_822_287_5e-38,
    5e-324,
    2.225_073_858_507_201_4e-308,
    f64::MAX,
    f64::MIN,
    1.1,
    0.1 + 0.2,
    1e21,
    1e-7,
    9_007_199_254_740_992.0,
    9_223_372_036_854_775_808.0,
    18_446_744_073_709_551_616.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// Outside the BMP, unnormalised, invisible, or of a meaning elsewhere.
pub(super) const TEXTS: [(&str, &str); 22] = [
    ("empty", ""),
    ("ascii", "plain"),
    ("one letter in two code points", "e\u{301}"),
    ("the same letter in one", "\u{e9}"),
    ("in another order of marks", "q\u{307}\u{323}"),
    ("ligature", "\u{fb01}"),
    ("Angstrom", "\u{212b}"),
    ("clef", "\u{1d11e}"),
    ("family", "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}"),
    ("NUL", "a\0b"),
    ("byte order mark", "\u{feff}x"),
    ("around the surrogates", "\u{d7ff}\u{e000}"),
    ("noncharacters", "\u{fffe}\u{ffff}\u{10ffff}"),
    ("control characters", "\u{1}\u{7f}\u{80}\u{9f}"),
    ("line ends", "a\r\nb\nc\rd\u{2028}e\u{2029}f\u{85}"),
    ("quotes", "\"'`\\/$\\u0041${x}%s%n{0}"),
    ("cases", "\u{130}\u{131}\u{df}\u{1e9e}\u{3c2}"),
    ("white space", " \t\u{a0}\u{3000} "),
    ("right to left", "\u{202e}\u{5d0}\u{5d1}"),
    ("number", "1"),
    ("prototype", "__proto__"),
    ("date", "2026-01-01T00:00:00Z"),
];

/// What is echoed: a key and a value.
pub(super) fn scalars() -> Vec<(String, Value)> {
    let integers = INTEGERS.map(|number| (format!("integer {number}"), integer(number)));
    let floats = FLOATS.map(|number| (format!("float {number:e}"), Value::Float(number)));
    let texts = TEXTS.map(|(name, text)| (format!("text {name}"), Value::Text(text.to_owned())));
    let others = [
        ("float NaN".to_owned(), Value::Float(f64::NAN)),
        ("true".to_owned(), Value::Bool(true)),
        ("false".to_owned(), Value::Bool(false)),
        ("null".to_owned(), Value::Null),
    ];
    let bytes = [0, 1, 23, 24, 255, 256].map(|length| {
        let content = (0..length).map(|index| index as u8).collect();
        (format!("bytes {length}"), Value::Bytes(content))
    });
    let tags = [
        ("tag of a time as a text", Value::Tag(0, Box::new("2013-03-21T20:04:00Z".into()))),
        ("tag of a time as a number", Value::Tag(1, Box::new(Value::Float(1_363_896_240.5)))),
        ("tag of 2^64", Value::Tag(2, Box::new(Value::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0, 0])))),
        ("tag of -2^64 - 1", Value::Tag(3, Box::new(Value::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0, 0])))),
        ("tag of nobody", Value::Tag(u64::MAX, Box::new(Value::Array(vec![Value::Null])))),
    ];
    let tags = tags.map(|(name, value)| (name.to_owned(), value));
    integers.into_iter().chain(floats).chain(texts).chain(others).chain(bytes).chain(tags).collect()
}

/// Arrays and maps: empty, long, deep, and with keys that fall together or into another order elsewhere.
pub(super) fn containers() -> Vec<(String, Value)> {
    let numbers = |count: i128| (0..count).map(integer).collect::<Vec<_>>();
    let many = |count: i128| numbers(count).into_iter().map(|key| (Value::Text(format!("k{}", as_text(&key))), key));
    let named = [
        ("empty map", map([])),
        ("empty array", Value::Array(Vec::new())),
        (
            "empty ones within",
            map([("map", map([("map", map([]))])), ("array", Value::Array(vec![map([]), Value::Array(vec![])]))]),
        ),
        ("array of 24", Value::Array(numbers(24))),
        ("array of 256", Value::Array(numbers(256))),
        ("map of 24", Value::Map(many(24).collect())),
        ("map of 300", Value::Map(many(300).collect())),
        ("short keys first", map([("aa", 1.into()), ("b", 2.into()), ("", 3.into()), ("a", 4.into())])),
        (
            "keys that look like numbers",
            map([("10", 1.into()), ("9", 2.into()), ("b", 3.into()), ("-1", 4.into()), ("01", 5.into())]),
        ),
        (
            "keys with a meaning elsewhere",
            map([("__proto__", 1.into()), ("constructor", map([])), ("toString", 3.into()), ("length", 4.into())]),
        ),
        // U+FFFF with a letter and U+10000 have four bytes each; in UTF-16 the second comes first.
        (
            "keys in the order of UTF-8",
            map([("\u{10000}", 1.into()), ("\u{ffff}a", 2.into()), ("\u{fffd}b", 3.into())]),
        ),
        ("keys that differ in their marks", map([("e\u{301}", 1.into()), ("\u{e9}", 2.into()), ("e", 3.into())])),
        (
            "keys that are integers",
            Value::Map([1, 10, 24, 500, -1, -500, 0].map(|key| (integer(key), integer(key))).to_vec()),
        ),
        (
            "an integer and a text of one look",
            Value::Map(vec![(integer(1), "integer".into()), ("1".into(), "text".into())]),
        ),
        (
            "large keys",
            Value::Map(vec![
                (integer(TWO_64 - 1), 1.into()),
                (integer(-TWO_64), 2.into()),
                (integer(TWO_53 + 1), 3.into()),
            ]),
        ),
        ("floats that are whole", Value::Array([0.0, -0.0, 1.0, 1e15, 1e16, 1e22].map(Value::Float).to_vec())),
        (
            "integers beside floats",
            Value::Array(vec![1.into(), Value::Float(1.0), integer(TWO_53), Value::Float(TWO_53 as f64)]),
        ),
        ("arrays in arrays", nested(126, |value| Value::Array(vec![value]))),
        ("maps in maps", nested(126, |value| map([("a", value)]))),
        ("tags in tags", nested(126, |value| Value::Tag(24, Box::new(value)))),
    ];
    named.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// So many levels around a 0; the payload is one more, and 128 are allowed with the 0.
fn nested(levels: usize, around: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(integer(0), |value, _| around(value))
}

fn as_text(number: &Value) -> String {
    number.as_integer().map_or_else(String::new, |number| i128::from(number).to_string())
}
