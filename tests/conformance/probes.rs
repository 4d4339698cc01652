//! The probes: what the conformance projection is asked to do, section by section.
//!
//! An event that fails stands between most sections: a host tries runs of good events in every cut, so short runs keep
//! that quick where calls take long.

use ciborium::Value;
use polyfold::event::NewEvent;

use super::events::{Events, fill_envelope};
use super::values::{TEXTS, containers, map, scalars};

/// Every probe, in order.
pub(super) fn probes() -> Events {
    let mut probes = Probes::default();
    probes.echoes();
    probes.sums();
    probes.quotients();
    probes.floats();
    probes.texts();
    probes.entries();
    probes.pages();
    probes.surroundings();
    probes.failures();
    probes.large();
    probes.0
}

#[derive(Default)]
struct Probes(Events);

impl Probes {
    /// Adds a probe to one of three streams.
    fn add<const N: usize>(&mut self, op: &str, fields: [(&str, Value); N]) -> &mut NewEvent {
        let stream = ["probe/one", "probe/two", "other/\u{fc}"][self.0.0.len() % 3];
        let mut payload = vec![("op".into(), op.into())];
        payload.extend(fields.into_iter().map(|(name, value)| (name.into(), value)));
        self.0.add(stream, "probe", &Value::Map(payload))
    }

    fn fail(&mut self, message: &str) {
        self.add("fail", [("message", message.into())]);
    }

    fn echoes(&mut self) {
        for (index, (key, value)) in scalars().into_iter().enumerate() {
            self.add("echo", [("key", key.into()), ("value", value)]);
            if index % 40 == 39 {
                self.fail(&format!("between two sections, at {index}"));
            }
        }
        for (key, value) in containers() {
            self.add("echo", [("key", key.into()), ("value", value)]);
        }
        self.fail("behind the echoes");
        for (key, value) in
            [("", 1), ("/", 2), ("\0", 3), ("\u{ffff}", 4), ("\u{10000}", 5), ("e\u{301}", 6), ("\u{e9}", 7)]
        {
            self.add("echo", [("key", format!("key {key}").into()), ("value", value.into())]);
        }
        self.add("echo", [("key", "again".into()), ("value", 1.into())]);
        self.add("echo", [("key", "again".into()), ("value", "another".into())]);
    }

    fn sums(&mut self) {
        let two_53 = 1_i64 << 53;
        let sums: [(&str, i64, f64); 22] = [
            ("past 2^53", two_53, 0.1),
            ("past 2^53", 1, 0.2),
            ("past 2^53", 1, 0.3),
            ("up", i64::MAX, 1e308),
            ("up", 1, 1.0),
            ("up", 0, 1e308),
            ("up", -1, -1e308),
            ("down", i64::MIN, -1.0),
            ("down", -1, 1.0),
            ("down", i64::MAX, 1.0),
            ("negative zero", 0, -0.0),
            ("two negative zeros", 0, -0.0),
            ("two negative zeros", 0, -0.0),
            ("zeros of both signs", 0, -0.0),
            ("zeros of both signs", 0, 0.0),
            ("whole", 1, 1.0),
            ("whole", 2, 2.0),
            ("infinities", 0, f64::INFINITY),
            ("infinities", 0, f64::NEG_INFINITY),
            ("absorbed", -two_53 - 1, 1e16),
            ("absorbed", 1, 1.0),
            ("absorbed", 1, -1e16),
        ];
        for (key, int, float) in sums {
            self.add("sum", [("key", key.into()), ("int", int.into()), ("float", float.into())]);
        }
        self.add("sum", [("key", "beyond".into()), ("int", u64::MAX.into()), ("float", 0.0.into())]);
        for _ in 0..12 {
            self.add("sum", [("key", "tenths".into()), ("int", i64::from(i32::MAX).into()), ("float", 0.1.into())]);
        }
    }

    fn quotients(&mut self) {
        let pairs = [
            (7, 2),
            (-7, 2),
            (7, -2),
            (-7, -2),
            (6, 3),
            (-6, 3),
            (1, 3),
            (-1, 3),
            (0, 5),
            (0, -5),
            (5, 0),
            (0, 0),
            (i64::MIN, -1),
            (i64::MIN, 1),
            (i64::MIN, 2),
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MIN),
            (i64::MAX, -1),
            (i64::MIN, i64::MIN),
            ((1 << 53) + 1, 3),
            (-(1 << 62) - 1, 10),
        ];
        for (a, b) in pairs {
            self.add("divide", [("key", format!("{a} by {b}").into()), ("a", a.into()), ("b", b.into())]);
        }
    }

    fn floats(&mut self) {
        let lists: [(&str, &[f64]); 16] = [
            ("one", &[1.0]),
            ("order", &[3.0, 1.0, 2.0]),
            ("minus first", &[-0.0, 0.0]),
            ("plus first", &[0.0, -0.0]),
            ("minus alone", &[-0.0]),
            ("NaN first", &[f64::NAN, 1.0]),
            ("NaN last", &[1.0, f64::NAN]),
            ("infinities", &[f64::INFINITY, f64::NEG_INFINITY]),
            ("infinity", &[1.0, f64::INFINITY]),
            ("none", &[]),
            ("tenths", &[0.1; 10]),
            ("overflow on the way", &[1e308, 1e308, -1e308]),
            ("absorbed", &[1e16, 1.0, 1.0, -1e16]),
            ("root of two", &[-2.0]),
            ("tiny", &[5e-324, 5e-324]),
            ("thirds", &[1.0, 1.0, 2.0]),
        ];
        for (key, values) in lists {
            let values = values.iter().map(|value| Value::Float(*value)).collect();
            self.add("floats", [("key", key.into()), ("values", Value::Array(values))]);
        }
    }

    fn texts(&mut self) {
        for (_, text) in TEXTS {
            self.add("text", [("value", text.into())]);
        }
        self.add("text", [("value", "\u{1f600}".repeat(100).into())]);
        self.fail("behind the texts");
    }

    fn entries(&mut self) {
        let echo = |probes: &mut Self, key: &str, value: Value| {
            probes.add("echo", [("key", key.into()), ("value", value)]);
        };
        let many = |probes: &mut Self, keys: &[&str]| {
            let keys = keys.iter().map(|key| (*key).into()).collect();
            probes.add("many", [("keys", Value::Array(keys))]);
        };
        let write = |probes: &mut Self, entries: &[(&str, Option<Value>)]| {
            let entry = |(key, value): &(&str, Option<Value>)| {
                Value::Array(std::iter::once((*key).into()).chain(value.clone()).collect())
            };
            probes.add("write", [("entries", Value::Array(entries.iter().map(entry).collect()))]);
        };
        for key in ["a", "b", "c", "d"] {
            echo(self, key, key.repeat(3).into());
        }
        self.add("delete", [("key", "b".into())]);
        self.add("delete", [("key", "never there".into())]);
        self.add("delete", [("key", "c".into())]);
        echo(self, "c", Value::Null);
        many(self, &["a", "b", "c", "d", "a"]);
        many(self, &[]);
        many(self, &["nothing", "of", "this"]);
        write(self, &[("x", Some(1.into())), ("y", Some(2.into())), ("z", Some(3.into()))]);
        write(self, &[("x", None), ("y", Some(Value::Null)), ("a", None), ("new", Some(map([])))]);
        write(self, &[("last wins", Some(1.into())), ("last wins", None), ("last wins", Some(2.into()))]);
        write(self, &[("gone", Some(1.into())), ("gone", None)]);
        write(self, &[]);
        many(self, &["x", "y", "z", "a", "new", "last wins", "gone"]);
        // What fails takes what its own call wrote with it, and nothing of the others'.
        self.fail("behind the writes");
        many(self, &["d", "y", "d"]);
    }

    fn pages(&mut self) {
        let fill = |probes: &mut Self, prefix: &str, count: u32| {
            probes.add("fill", [("prefix", prefix.into()), ("count", count.into())]);
        };
        let scan = |probes: &mut Self, prefix: &str, page: u32| {
            probes.add("scan", [("prefix", prefix.into()), ("page", page.into())]);
        };
        for (prefix, count) in [("p", 2_500), ("one", 1), ("none", 0), ("page", 1_000), ("more", 1_001)] {
            fill(self, prefix, count);
        }
        self.fail("behind the fill");
        for page in [1, 3, 999, 1_000, 5_000] {
            scan(self, "fill/p/", page);
            self.fail(&format!("behind pages of {page}"));
        }
        for (prefix, page) in [
            ("fill/page/", 1_000),
            ("fill/more/", 1_000),
            ("fill/one/", 7),
            ("fill/none/", 7),
            ("fill/p", 2_000),
            ("fill/", 1_700),
            ("nothing/", 1),
            ("echo/key \u{ffff}", 10),
            ("echo/key ", 2),
            ("echo/", 11),
            ("", 333),
        ] {
            scan(self, prefix, page);
        }
        self.fail("behind the pages");
        // A scan sees what was written before it in the same call.
        fill(self, "seen", 3);
        scan(self, "fill/seen/", 2);
        self.add("echo", [("key", "seen".into()), ("value", 1.into())]);
        scan(self, "echo/seen", 1);
        self.add("delete", [("key", "seen".into())]);
        scan(self, "echo/seen", 1);
    }

    fn surroundings(&mut self) {
        self.add("context", []);
        // Before 1970, the year 1, beyond 2^53, and at it; only such as a 64-bit float holds, which is how QuickJS gets them.
        for micros in [-1, -11_644_473_600_000_000, -62_135_596_800_000_000, 0, 253_402_300_799_000_000, (1 << 53) + 2]
        {
            fill_envelope(self.add("context", []), micros);
        }
        self.add("context", []).actor = Some(String::new());
        self.add("parameters", []);
        for level in ["trace", "debug", "info", "warn", "error"] {
            self.add("log", [("level", level.into()), ("message", format!("a\0\u{1d11e} at {level}\n").into())]);
        }
        self.add("log", [("level", "info".into()), ("message", "long ".repeat(2_000).into())]);
        self.add("parameters", []);
    }

    fn failures(&mut self) {
        for message in
            ["", "plain", "e\u{301} \u{1d11e} \0", "two\nlines", "%s {} ${x} \\n \"quoted\"", " spaces ", "Error: x"]
        {
            self.fail(message);
            self.add("echo", [("key", "after a failure".into()), ("value", message.into())]);
        }
        for op in ["nothing known", "", "Echo", "\u{1d11e}", "toString", "__proto__"] {
            self.add(op, []);
        }
    }

    fn large(&mut self) {
        let large = |probes: &mut Self, key_bytes: u32, value_bytes: u32, seed: u32| {
            let fields = [("key_bytes", key_bytes), ("value_bytes", value_bytes), ("seed", seed)];
            probes.add("large", fields.map(|(name, number)| (name, number.into())));
        };
        large(self, 6, 65_541, 0);
        large(self, 7, 65_797, u32::MAX);
        self.add("scan", [("prefix", "large/".into()), ("page", 1.into())]);
        self.fail("behind the smaller ones");
        large(self, 1_024, 1 << 20, 7);
        // One byte more of key, then of value.
        large(self, 1_025, 65_541, 0);
        large(self, 100, (1 << 20) + 1, 0);
        let text = "\u{fc}\u{1d11e}x".repeat(100_000);
        self.add("echo", [("key", "long text".into()), ("value", text.into())]);
        self.fail("behind the long text");
        self.add("many", [("keys", Value::Array(vec!["long text".into(), "long text".into()]))]);
    }
}
