//! Every op's exact result, natively.

use super::*;
use polyfold_guest::Payload;
use polyfold_guest::cbor::{self, Value};
use polyfold_guest::context::Envelope;
use polyfold_guest::testing::Harness;

type Fields = Vec<(Value, Value)>;

fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect::<Fields>())
}

/// The event of an op with these fields.
fn probe<const N: usize>(op: &str, fields: [(&str, Value); N]) -> Event {
    let fields = fields.into_iter().map(|(name, value)| (name.into(), value));
    let payload = fields.chain([("op".into(), op.into())]).collect::<Fields>();
    Event {
        sequence: 0,
        stream: "test/1".into(),
        version: 0,
        event_type: "probe".into(),
        schema_version: 1,
        recorded_at: 5,
        payload: Payload::cbor(&Value::Map(payload)).unwrap(),
    }
}

fn run(events: impl IntoIterator<Item = Event>) -> Harness<Conformance> {
    let mut harness = Harness::new().parameters(serde_json::json!({"a": 1.5}));
    harness.apply(events).unwrap();
    harness
}

/// Checks an entry: its value, and that it is canonical.
fn check(harness: &Harness<Conformance>, key: &str, expected: Value) {
    let bytes = harness.entries().get(key).unwrap_or_else(|| panic!("no {key} in {:?}", harness.entries().keys()));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(bytes), hex(&cbor::to_vec(&expected).unwrap()), "{key}");
}

fn fails(event: Event, message: &str) {
    let mut harness = Harness::<Conformance>::new();
    assert_eq!(harness.apply([event]).unwrap_err().to_string(), message);
    assert!(harness.entries().is_empty());
}

#[test]
fn echo_keeps_every_value_and_delete_removes_it() {
    let values = [
        Value::Null,
        u64::MAX.into(),
        Value::Integer(-(1 << 64)),
        (-0.0).into(),
        1.0.into(),
        f64::NAN.into(),
        Value::Bytes(vec![]),
        "e\u{301}𝄞".into(),
        map([("zz", map([])), ("b", Value::Array(vec![])), ("a", Value::Tag(2, Box::new(Value::Bytes(vec![1; 9]))))]),
    ];
    for value in values {
        let harness = run([probe("echo", [("key", "k".into()), ("value", value.clone())])]);
        check(&harness, "echo/k", value.clone());
        let gone = run([
            probe("echo", [("key", "".into()), ("value", value)]),
            probe("delete", [("key", "".into())]),
            probe("delete", [("key", "never there".into())]),
        ]);
        assert!(gone.entries().is_empty());
    }
}

fn sum(key: &str, int: impl Into<Value>, float: f64) -> Event {
    probe("sum", [("key", key.into()), ("int", int.into()), ("float", float.into())])
}

#[test]
fn sums_are_exact_or_fail() {
    let harness = run([sum("a", 1i64 << 60, 0.1), sum("a", 1, 0.2), sum("b", 0, -0.0)]);
    check(
        &harness,
        "sum/a",
        map([("count", 2.into()), ("int", ((1i64 << 60) + 1).into()), ("float", (0.1 + 0.2).into())]),
    );
    check(&harness, "sum/b", map([("count", 1.into()), ("int", 0.into()), ("float", (-0.0).into())]));
    let harness = run([sum("c", i64::MIN, 0.5), sum("c", u64::MAX, 0.5)]);
    check(&harness, "sum/c", map([("count", 2.into()), ("int", i64::MAX.into()), ("float", 1.0.into())]));
    fails(sum("d", 1u64 << 63, 0.5), "sum/d does not fit 64 bits");
    let error = Harness::<Conformance>::new().apply([sum("e", i64::MIN, 0.5), sum("e", -1, 0.5)]).unwrap_err();
    assert_eq!(error.to_string(), "sum/e does not fit 64 bits");
}

#[test]
fn quotients_are_cut_towards_zero() {
    let check_divide = |a: i64, b: i64, quotient: u64, negative: bool, remainder: i64| {
        let harness = run([probe("divide", [("key", "k".into()), ("a", a.into()), ("b", b.into())])]);
        let quotient = i128::from(quotient) * if negative { -1 } else { 1 };
        let expected = map([("quotient", Value::Integer(quotient)), ("remainder", remainder.into())]);
        check(&harness, "divide/k", expected);
    };
    check_divide(-7, 2, 3, true, -1);
    check_divide(7, -2, 3, true, 1);
    check_divide(i64::MAX, 10, 922_337_203_685_477_580, false, 7);
    check_divide(i64::MIN, -1, 1 << 63, false, 0);
    fails(probe("divide", [("key", "k".into()), ("a", 1.into()), ("b", 0.into())]), "division by zero");
}

#[test]
fn facts_of_floats() {
    let facts = |values: &[f64], [sum, mean, min, max, root]: [f64; 5]| {
        let list = values.iter().map(|value| (*value).into()).collect::<Vec<Value>>();
        let harness = run([probe("floats", [("key", "k".into()), ("values", list.into())])]);
        let expected = [("sum", sum), ("mean", mean), ("min", min), ("max", max), ("root", root)];
        check(&harness, "floats/k", map(expected.map(|(name, value)| (name, value.into()))));
    };
    let tenths = 0.1 + 0.2 + 0.3;
    facts(&[0.1, 0.2, 0.3], [tenths, tenths / 3.0, 0.1, 0.3, 0.316_227_766_016_837_94]);
    facts(&[0.0, -0.0], [0.0, 0.0, -0.0, 0.0, 0.0]);
    facts(&[-0.0, 0.0], [0.0, 0.0, -0.0, 0.0, 0.0]);
    facts(&[-0.0], [-0.0, -0.0, -0.0, -0.0, 0.0]);
    facts(&[-2.0, f64::NAN, 1.0], [f64::NAN, f64::NAN, f64::NAN, f64::NAN, std::f64::consts::SQRT_2]);
    facts(&[f64::INFINITY, -1e300], [f64::INFINITY, f64::INFINITY, -1e300, f64::INFINITY, f64::INFINITY]);
    fails(probe("floats", [("key", "k".into()), ("values", Value::Array(vec![]))]), "no values");
}

#[test]
fn a_text_has_bytes_and_code_points() {
    let harness = run(["", "e\u{301}", "é", "𝄞"].map(|text| probe("text", [("value", text.into())])));
    for (text, bytes, code_points) in [("", 0, 0), ("e\u{301}", 3, 2), ("é", 2, 1), ("𝄞", 4, 1)] {
        let expected = map([("bytes", bytes.into()), ("code_points", code_points.into())]);
        check(&harness, &format!("text/{text}"), expected);
    }
}

#[test]
fn the_largest_entry_is_written_as_it_says() {
    let sizes = [("key_bytes", 1024.into()), ("value_bytes", (1 << 20).into()), ("seed", 300.into())];
    let harness = run([probe("large", sizes)]);
    let (key, value) = harness.entries().first_key_value().unwrap();
    assert_eq!((key.len(), value.len()), (1024, 1 << 20));
    assert!(key.starts_with("large/k") && key.ends_with('k'));
    assert_eq!(value[..7], [0x5a, 0x00, 0x0f, 0xff, 0xfb, (300 % 256) as u8, ((31 + 300) % 256) as u8]);
    assert_eq!(u64::from(value[1_000_005]), (1_000_000 * 31 + 300) % 256);
}

#[test]
fn fill_and_scan_over_pages() {
    for page in [1, 7, 100, 100_000] {
        let scan = probe("scan", [("prefix", "fill/x".into()), ("page", page.into())]);
        let harness = run([probe("fill", [("prefix", "x".into()), ("count", 2100.into())]), scan]);
        check(&harness, "fill/x/02099", 2099.into());
        let keys = 2100 * "fill/x/00000".len();
        let values = 24 + (256 - 24) * 2 + (2100 - 256) * 3;
        let hash = harness
            .entries()
            .range("fill/".to_owned().."fill0".to_owned())
            .flat_map(|(key, value)| [key.as_bytes(), value].concat())
            .fold(2_166_136_261u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        let expected = map([
            ("entries", 2100.into()),
            ("bytes", ((keys + values) as u64).into()),
            ("hash", u64::from(hash).into()),
        ]);
        check(&harness, "scan/2", expected);
    }
}

#[test]
fn write_goes_in_order_and_many_reads_what_is_there() {
    let pair = |key: &str, value: Value| Value::Array(vec![key.into(), value]);
    let alone = |key: &str| Value::Array(vec![key.into()]);
    let entries = vec![
        pair("a", 1.into()),
        pair("b", "two".into()),
        alone("a"),
        alone("c"),
        pair("b", 1000.into()),
        pair("d", Value::Null),
    ];
    let keys: Vec<Value> = ["d", "a", "b", "b"].map(Value::from).to_vec();
    let harness = run([probe("write", [("entries", entries.into())]), probe("many", [("keys", keys.into())])]);
    check(&harness, "echo/b", 1000.into());
    check(&harness, "echo/d", Value::Null);
    check(&harness, "many/2", map([("found", 3.into()), ("bytes", 7.into())]));
    assert_eq!(harness.entries().len(), 3);
}

#[test]
fn context_tells_the_whole_envelope() {
    let envelope = Envelope {
        id: "id-1".into(),
        occurred_at: Some(-1),
        actor: None,
        causation_id: Some(String::new()),
        correlation_id: None,
        metadata: vec![("aa".into(), "1".into()), ("z".into(), "2".into())],
        tags: vec!["z".into(), "a".into()],
    };
    let mut harness = Harness::<Conformance>::new();
    harness.set_envelope(1, envelope);
    harness.apply([probe("context", [])]).unwrap();
    let expected = map([
        ("id", "id-1".into()),
        ("actor", Value::Null),
        ("occurred_at", (-1).into()),
        ("causation_id", "".into()),
        ("correlation_id", Value::Null),
        ("metadata", map([("z", "2".into()), ("aa", "1".into())])),
        ("tags", vec!["z".into(), "a".into()].into()),
        ("sequence", 1.into()),
        ("stream", "test/1".into()),
        ("version", 1.into()),
        ("event_type", "probe".into()),
        ("schema_version", 1.into()),
        ("recorded_at", 5.into()),
    ]);
    check(&harness, "context/1", expected);
}

#[test]
fn parameters_are_kept_and_a_log_message_is_not() {
    let levels = ["trace", "debug", "info", "warn", "error"];
    let logs = levels.map(|level| probe("log", [("level", level.into()), ("message", "{} %s".into())]));
    let harness = run(logs.into_iter().chain([probe("parameters", [])]));
    check(&harness, "parameters", r#"{"a":1.5}"#.into());
    assert_eq!(harness.entries().len(), 1);
    let logged: Vec<_> = harness.logs().iter().map(|logged| (logged.level, logged.message.as_str())).collect();
    let expected = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error].map(|level| (level, "{} %s"));
    assert_eq!(logged, expected);
}

#[test]
fn failures_have_exactly_their_text() {
    fails(probe("fail", [("message", "50 % of {} and \"𝄞\"".into())]), "50 % of {} and \"𝄞\"");
    fails(probe("fail", [("message", "".into())]), "");
    fails(probe("jump", []), "unknown op jump");
}
