//! What each host call costs, to the unit, and that no plugin gets around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::event::{Batch, Envelope, Head, SchemaVersion, Sequence, Stored, Timestamp, Version};

/// A state in memory that begins with three entries: `key` with ten bytes, `kez` and `kfz` with two each.
struct Map(BTreeMap<String, Vec<u8>>);

impl Map {
    fn new() -> Self {
        let entries = [("key", "0123456789"), ("kez", "ab"), ("kfz", "cd")];
        Self(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl StateAccess for Map {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).cloned())
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
        match value {
            Some(value) => self.0.insert(key.to_owned(), value),
            None => self.0.remove(key),
        };
        Ok(())
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        let all =
            self.0.iter().filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        Ok(all.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// So many events of 4, 1 and 5 bytes of stream, type and payload.
fn events(count: u64) -> Arc<Batch> {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let head = Head {
            sequence: Sequence(number),
            version: Version(number),
            schema_version: SchemaVersion::FIRST,
            recorded_at: Timestamp::EPOCH,
            stream: "ab/1",
            event_type: "t",
            is_encrypted: false,
        };
        let (occurred_at, actor, causation_id, correlation_id) = (None, None, None, None);
        let (metadata, tags) = (Vec::new(), Vec::new());
        let envelope = Envelope { head, id: "i", occurred_at, actor, causation_id, correlation_id, metadata, tags };
        let start = bytes.len();
        envelope.encode(&mut bytes);
        let middle = bytes.len();
        bytes.extend_from_slice(b"\x64four");
        places.push((start..middle, middle..bytes.len()));
    }
    let mut batch = Batch::new();
    let buffer = batch.add_buffer(bytes.into());
    for (envelope, payload) in places {
        batch.push_stored(buffer, envelope, Stored::Whole(payload), |_| true).unwrap();
    }
    Arc::new(batch)
}

/// A plugin whose apply is that, and the imports that it needs.
struct Calls {
    sandbox: Sandbox,
    component: Vec<u8>,
}

impl Calls {
    fn new(imports: &str, body: &str) -> Self {
        let wat = include_str!("calls.wat").replace("(; imports ;)", imports).replace("(; body ;)", body);
        let module = wat::parse_str(wat).unwrap();
        Self { sandbox: sandbox(), component: component_of(&module).unwrap().into_owned() }
    }

    /// Makes one call so often. What WASI's adapter keeps for itself lies below the answers.
    fn repeated(imports: &str, call: &str, times: u32) -> Self {
        let body = format!(
            "(local.set $left (i32.const {times}))
            (loop $again
                (global.set $next (i32.const 1048576))
                {call}
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
        );
        Self::new(imports, &body)
    }

    fn apply(&self, count: u64, limits: &Limits) -> Outcome {
        let events = events(count);
        let Plugin::Projection(projection) =
            self.sandbox.load(Digest::of(&self.component), &self.component, limits).unwrap()
        else {
            panic!("it is a projection");
        };
        let range = 0..events.len();
        projection.apply(Call { events, range, parameters: "{\"a\":1}".into(), state: Box::new(Map::new()) })
    }

    /// What a good call on so many events costs because there are prices.
    fn price(&self, count: u64) -> u64 {
        let fuel = |host_call_prices| {
            let outcome = self.apply(count, &Limits { host_call_prices, ..Limits::default() });
            assert_eq!(outcome.result, Ok(()));
            outcome.usage.fuel
        };
        fuel(Prices::V1) - fuel(Prices::None)
    }
}

const STATE: &str = r#"
    (import "polyfold:plugin/state@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "get-many" (func $get-many (param i32 i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "put" (func $put (param i32 i32 i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "delete" (func $delete (param i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "write" (func $write (param i32 i32)))
    (import "polyfold:plugin/state@0.1.0" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32)))"#;
const CONTEXT: &str = r#"
    (import "polyfold:plugin/context@0.1.0" "envelope-of" (func $envelope-of (param i64 i32)))
    (import "polyfold:plugin/context@0.1.0" "parameters" (func $parameters (param i32)))"#;
const LOGGING: &str = r#"(import "polyfold:plugin/logging@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
const WASI: &str = r#"
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd-write (param i32 i32 i32 i32) (result i32)))"#;

const GET: &str = "(call $get (i32.const 1300) (i32.const 3) (i32.const 3000))";
const GET_MISSING: &str = "(call $get (i32.const 1400) (i32.const 3) (i32.const 3000))";
const SCAN: &str = "(call $scan (i32.const 1300) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 3000))";
const LOG: &str = "(call $log (i32.const 2) (i32.const 1300) (i32.const 3))";
const RANDOM: &str = "(drop (call $random (i32.const 3000) (i32.const 50)))";
const CLOCK: &str = "(drop (call $clock (i32.const 1) (i64.const 1) (i32.const 3000)))";
const FD_WRITE: &str = "(drop (call $fd-write (i32.const 1) (i32.const 1700) (i32.const 1) (i32.const 3000)))";

/// Handing in an event of [`events`]: 200, and a unit for each of its 10 bytes.
const EVENT: u64 = 210;

#[test]
fn each_call_costs_what_the_schedule_says() {
    for (imports, call, price) in [
        // A call, a look-up, the key, the value.
        (STATE, GET, 300 + 1_000 + 3 + 10),
        (STATE, GET_MISSING, 300 + 1_000 + 3),
        // One call; for each key a look-up; `ey` is not there.
        (STATE, "(call $get-many (i32.const 1500) (i32.const 2) (i32.const 3000))", 300 + 2 * 1_000 + 3 + 2 + 10),
        (STATE, "(call $put (i32.const 1300) (i32.const 3) (i32.const 1400) (i32.const 10))", 300 + 1_000 + 3 + 10),
        (STATE, "(call $delete (i32.const 1300) (i32.const 3))", 300 + 1_000 + 3),
        (STATE, "(call $write (i32.const 1600) (i32.const 2))", 300 + 2 * 1_000 + 3 + 4 + 2),
        // A call, a look-up, the prefix; `key` and `kez` with their values.
        (STATE, SCAN, 300 + 1_000 + 2 + 2 * 300 + 3 + 10 + 3 + 2),
        // The envelope is stored in 14 bytes.
        (CONTEXT, "(call $envelope-of (i64.const 1) (i32.const 3000))", 300 + 1_000 + 10 * 14),
        (CONTEXT, "(call $envelope-of (i64.const 9) (i32.const 3000))", 300 + 1_000),
        (CONTEXT, "(call $parameters (i32.const 3000))", 300 + 7),
        (LOGGING, LOG, 300 + 3),
        (WASI, RANDOM, 300 + 50),
        (WASI, CLOCK, 300),
        // One call of the stream for both writing and flushing.
        (WASI, FD_WRITE, 300 + 3_000 + 10),
        // Growing by a page.
        ("", "(drop (memory.grow (i32.const 1)))", 1_000),
    ] {
        let of = |times| Calls::repeated(imports, call, times).price(1);
        // The first call of WASI's adapter makes some of its own.
        assert_eq!(of(4) - of(3), price, "{call}");
        if imports != WASI {
            assert_eq!(of(3), EVENT + 3 * price, "{call}");
        }
    }
}

#[test]
fn what_goes_in_and_comes_back_costs_the_same_however_it_is_cut() {
    assert_eq!(Calls::new("", "").price(1), EVENT);
    assert_eq!(Calls::new("", "").price(100), 100 * EVENT);
    // Each event a look-up, a change and a message.
    let body = format!(
        "(local.set $left (local.get $count))
        (loop $again
            {GET} {LOG} (call $put (i32.const 1300) (i32.const 3) (i32.const 1400) (i32.const 10))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    );
    let calls = Calls::new(&format!("{STATE} {LOGGING}"), &body);
    let one = calls.price(1);
    assert_eq!(one, EVENT + 1_313 + 303 + 1_313);
    for count in [2, 7, 50] {
        assert_eq!(calls.price(count), count * one);
    }
}

#[test]
fn an_error_is_paid_for_by_its_length() {
    let calls = Calls::new("", "(return (i32.const 2100))");
    let fuel = |host_call_prices| {
        let outcome = calls.apply(1, &Limits { host_call_prices, ..Limits::default() });
        assert_eq!(outcome.result.unwrap_err().to_string(), "it says: key");
        outcome.usage.fuel
    };
    assert_eq!(fuel(Prices::V1) - fuel(Prices::None), EVENT + 3);
}

#[test]
fn a_plugin_that_only_calls_the_host_runs_out_of_fuel_before_its_time() {
    let fuel_per_event = 5_000_000;
    for (imports, call) in [
        (STATE, GET_MISSING),
        (STATE, GET),
        (STATE, SCAN),
        (STATE, "(call $get-many (i32.const 1500) (i32.const 2) (i32.const 3000))"),
        (CONTEXT, "(call $parameters (i32.const 3000))"),
        (LOGGING, LOG),
        (LOGGING, "(call $log (i32.const 2) (i32.const 3000) (i32.const 1000000))"),
        (WASI, "(drop (call $random (i32.const 3000) (i32.const 60000)))"),
        (WASI, RANDOM),
        (WASI, CLOCK),
        (WASI, FD_WRITE),
        ("", "(drop (memory.grow (i32.const 65536)))"),
    ] {
        let calls = Calls::repeated(imports, &format!("(loop $for-ever {call} (br $for-ever))"), 1);
        let began = Instant::now();
        let outcome = calls.apply(1, &Limits { fuel_per_event, ..Limits::default() });
        let failure = outcome.result.unwrap_err();
        let verdict = failure.verdict().unwrap_or_else(|| panic!("{call}: {failure}"));
        assert_eq!((verdict.kind, outcome.usage.fuel), (VerdictKind::OutOfFuel, fuel_per_event), "{call}: {verdict}");
        assert_eq!(verdict.message, "it used up its fuel of 5000000");
        // A two-hundredth of the usual fuel. The host is not optimised in tests and the machine may be busy.
        assert!(began.elapsed() < Limits::DEADLINE, "{call}: {:?}", began.elapsed());
    }
}

#[test]
fn events_that_cannot_be_handed_in_are_out_of_fuel_before_a_call() {
    let calls = Calls::new("", "unreachable");
    let limits = Limits { fuel_per_event: 100 * EVENT - 1, ..Limits::default() };
    let outcome = calls.apply(100, &limits);
    let failure = outcome.result.unwrap_err();
    assert_eq!(failure.verdict().unwrap().kind, VerdictKind::OutOfFuel);
    assert_eq!((outcome.usage.fuel, outcome.usage.memory_bytes), (limits.fuel_per_event, 0));
    assert_eq!(calls.apply(50, &limits).result.unwrap_err().verdict().unwrap().kind, VerdictKind::Trap);
}

#[test]
fn a_verdict_of_any_kind_says_where_in_the_plugin_it_happened() {
    let long = "(call $put (i32.const 3000) (i32.const 2000) (i32.const 0) (i32.const 0))";
    let starving = "(drop (memory.grow (i32.const 8192))) unreachable";
    for (imports, body, kind) in [
        ("", "unreachable", VerdictKind::Trap),
        ("", "(loop $for-ever (br $for-ever))", VerdictKind::OutOfFuel),
        (LOGGING, &*format!("(loop $for-ever {LOG} (br $for-ever))"), VerdictKind::OutOfFuel),
        ("", starving, VerdictKind::OutOfMemory),
        (STATE, long, VerdictKind::Limit),
    ] {
        let limits = Limits { fuel_per_event: 1_000_000, ..Limits::default() };
        let failure = Calls::new(imports, body).apply(1, &limits).result.unwrap_err();
        let verdict = failure.verdict().unwrap();
        assert_eq!(verdict.kind, kind, "{verdict}");
        let backtrace = verdict.backtrace.as_deref().unwrap_or_default();
        assert!(backtrace.contains("apply"), "{verdict}: {backtrace:?}");
    }
}

#[test]
fn what_says_nothing_of_the_event_is_a_mishap() {
    let deadline = Duration::from_millis(100);
    let limits = Limits { fuel_per_event: u64::MAX >> 2, deadline, ..Limits::default() };
    let loops = Calls::new("", "(loop $for-ever (br $for-ever))").apply(1, &limits);
    assert_eq!(loops.result, Err(Failure::Mishap(Mishap::Deadline { deadline })));
    // A host that is slow where fuel does not see it is stopped on the way back.
    let limits = Limits { host_call_prices: Prices::None, ..limits };
    let calls = Calls::new(LOGGING, &format!("(loop $for-ever {LOG} (br $for-ever))")).apply(1, &limits);
    assert_eq!(calls.result, Err(Failure::Mishap(Mishap::Deadline { deadline })));
}
