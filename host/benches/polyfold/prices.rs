//! What guards and accounts cost a rebuild, each switched off and on in turns; and what a host call takes for its price.

use std::sync::Arc;
use std::time::Instant;

use polyfold::event::{Batch, Digest};
use polyfold::plugin::{self, Call, Limits, Plugin, Sandbox, StateAccess, StateError};
use polyfold::state::{Changes, Checkpoint, Marks, Overlay, Store, ablation};
use tempfile::TempDir;

use crate::data::{Year, open, temporary};
use crate::report::{Contestant, Lap, compare};

const ROUNDS: usize = 5;

/// One way to rebuild: what is on in it.
struct Way {
    name: &'static str,
    prices: bool,
    tree: bool,
    costs: bool,
}

/// The ways in which each projection is rebuilt: with nothing of it first, with all of it last.
const WAYS: [Way; 5] = [
    Way { name: "without prices, accounts and tree", prices: false, tree: false, costs: false },
    Way { name: "without prices of host calls", prices: false, tree: true, costs: true },
    Way { name: "without the accounts of calls", prices: true, tree: true, costs: false },
    Way { name: "without the tree", prices: true, tree: false, costs: true },
    Way { name: "all of it on", prices: true, tree: true, costs: true },
];

pub(crate) fn run(year: &Year) {
    for (title, name, plugins) in [
        ("Rebuild of count and sum, guards off and on", "count-and-sum", &["count_and_sum"][..]),
        ("Rebuild of on-time behind flights-v2, guards off and on", "on-time", &["flights_v2", "on_time"]),
    ] {
        let engines = WAYS.map(|way| {
            let dir = year.with(plugins);
            if !way.prices {
                without_prices(&dir);
            }
            (way, open(&dir), dir)
        });
        let contestants = engines.iter().map(|(way, engine, _)| {
            Contestant::new(way.name, || {
                ablation::keep(way.tree, way.costs);
                Lap::of(year.events, || drop(engine.rebuild(name, |_| ()).unwrap()))
            })
        });
        let medians = compare(title, "events", ROUNDS, contestants.collect());
        println!("\nAll of it costs {:.1} % of the rate.", 100.0 * (1.0 - medians[WAYS.len() - 1] / medians[0]));
    }
    host_calls();
}

/// Makes the catalogue's projections what they would be if they had been created before there were prices.
fn without_prices(dir: &TempDir) {
    let path = dir.path().join("catalogue.json");
    let mut catalogue: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for projection in catalogue["projections"].as_object_mut().unwrap().values_mut() {
        for deployment in ["serving", "building"] {
            let deployment = projection.get_mut(deployment).and_then(|it| it.get_mut("limits"));
            if let Some(limits) = deployment.and_then(serde_json::Value::as_array_mut) {
                limits.retain(|limit| limit[0] != plugin::HOST_CALL_PRICES);
            }
        }
    }
    // Changed by hand, it no longer is what its checksum was made of.
    catalogue.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&path, serde_json::to_vec(&catalogue).unwrap()).unwrap();
}

/// Host calls, each with what it imports and how a plugin makes it. Keys are four letters, other ones each time.
const CALLS: [(&str, &str, &str); 10] = [
    ("get of 10 bytes", GET, "(call $f (i32.const 1300) (i32.const 4) (i32.const 3000))"),
    ("get of nothing", GET, "(call $f (i32.const 1300) (i32.const 3) (i32.const 3000))"),
    ("put of 10 bytes", PUT, "(call $f (i32.const 1300) (i32.const 4) (i32.const 1400) (i32.const 10))"),
    (
        "scan of 16 entries of 14 bytes",
        SCAN,
        "(call $f (i32.const 1300) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 99) (i32.const 3000))",
    ),
    ("log of 1,000 bytes", LOG, "(call $f (i32.const 2) (i32.const 3000) (i32.const 1000))"),
    ("random of 64 bytes", RANDOM, "(drop (call $f (i32.const 3000) (i32.const 64)))"),
    ("reading the clock", CLOCK, "(drop (call $f (i32.const 1) (i64.const 1) (i32.const 3000)))"),
    (
        "writing 10 bytes to standard output",
        WRITE,
        "(drop (call $f (i32.const 1) (i32.const 1700) (i32.const 1) (i32.const 3000)))",
    ),
    // Wasmtime tells nobody of this one: it costs its instructions alone.
    ("asking for no memory", "", "(drop (memory.grow (i32.const 0)))"),
    ("asking for memory in vain", "", "(drop (memory.grow (i32.const 65536)))"),
];

/// The letters of a key, from the number of calls that are left.
const KEY: &str = "(i32.store (i32.const 1300) (i32.add (i32.const 0x61616161)
    (i32.and (i32.mul (local.get $left) (i32.const 0x9e3779b1)) (i32.const 0x0f0f0f0f))))";

const GET: &str = r#"(import "polyfold:plugin/state@0.1.0" "get" (func $f (param i32 i32 i32)))"#;
const PUT: &str = r#"(import "polyfold:plugin/state@0.1.0" "put" (func $f (param i32 i32 i32 i32)))"#;
const SCAN: &str = r#"(import "polyfold:plugin/state@0.1.0" "scan" (func $f (param i32 i32 i32 i32 i32 i32 i32)))"#;
const LOG: &str = r#"(import "polyfold:plugin/logging@0.1.0" "log" (func $f (param i32 i32 i32)))"#;
const RANDOM: &str = r#"(import "wasi_snapshot_preview1" "random_get" (func $f (param i32 i32) (result i32)))"#;
const CLOCK: &str = r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $f (param i32 i64 i32) (result i32)))"#;
const WRITE: &str = r#"(import "wasi_snapshot_preview1" "fd_write" (func $f (param i32 i32 i32 i32) (result i32)))"#;

/// How often a plugin makes its call.
const TIMES: u64 = 10_000;

fn host_calls() {
    println!("\n### Host calls, {TIMES} in a row\n\n| call | fuel | ns | ns a unit of fuel |\n|---|---:|---:|---:|");
    let sandbox = Sandbox::new(None).unwrap();
    let dir = temporary();
    let store = entries(&dir);
    for (name, imports, call) in CALLS {
        let plugin = calling(imports, call);
        let quickest = |times: u64| quickest(&sandbox, &plugin(times), &store);
        let ((few_fuel, few_nanos), (fuel, nanos)) = (quickest(1), quickest(1 + TIMES));
        let (fuel, nanos) = ((fuel - few_fuel) as f64 / TIMES as f64, (nanos - few_nanos) / TIMES as f64);
        println!("| {name} | {fuel:.0} | {nanos:.0} | {:.2} |", nanos / fuel);
    }
}

/// A state with all keys of four letters from `a` to `p`, ten bytes each.
fn entries(dir: &TempDir) -> Store {
    let store = Store::open(&dir.path().join("state.redb"), Digest::ZERO, [0; 16]).unwrap();
    let mut changes = Changes::default();
    for number in 0..1_u32 << 16 {
        let letters = [12, 8, 4, 0].map(|bits| b'a' + (number >> bits & 15) as u8);
        changes.set(String::from_utf8(letters.to_vec()).unwrap(), Some(vec![0; 10]));
    }
    store.commit(&changes, Checkpoint::default(), &Marks::default()).unwrap();
    store
}

/// Makes a plugin that makes that call so often.
fn calling(imports: &str, call: &str) -> impl Fn(u64) -> Vec<u8> {
    let wat = include_str!("../../src/plugin/tests/calls.wat").replace("(; imports ;)", imports);
    let call = call.to_owned();
    move |times| {
        let body = format!(
            "(local.set $left (i32.const {times}))
            (loop $again
                (global.set $next (i32.const 1048576))
                {KEY}
                {call}
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
        );
        plugin::component(&wat::parse_str(wat.replace("(; body ;)", &body)).unwrap()).unwrap().into_owned()
    }
}

/// The fuel of a call and its nanoseconds, of the quickest of some.
fn quickest(sandbox: &Sandbox, component: &[u8], store: &Store) -> (u64, f64) {
    let Plugin::Projection(projection) = sandbox.load(Digest::of(component), component, &Limits::default()).unwrap()
    else {
        panic!("it is a projection");
    };
    let rounds = (0..10).map(|_| {
        let state = Box::new(State(Overlay::new(store.reader().unwrap())));
        let call = Call { events: Arc::new(Batch::new()), range: 0..0, parameters: "{}".into(), state };
        let began = Instant::now();
        let outcome = projection.apply(call);
        let took = began.elapsed();
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        (outcome.usage.fuel, took.as_nanos() as f64)
    });
    rounds.min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap()
}

/// The overlay as a plugin is handed it.
struct State(Overlay);

impl StateAccess for State {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key)?)
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
        self.0.set(key, value);
        Ok(())
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        Ok(self.0.scan(prefix, after, limit)?)
    }
}
