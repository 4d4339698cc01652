//! One projection, count and sum by aircraft, in every language: how fast, how large, and how long until it runs.
//!
//! Takes what `plugins/build.sh count-and-sum` built; a language that is not there is left out aloud.

use std::sync::Arc;
use std::time::{Duration, Instant};

use polyfold::engine::{Engine, FaultPolicy, Keep, NewProjection, Quota};
use polyfold::event::{Batch, PluginName};
use polyfold::plugin::{Call, Limits, Plugin, Projection, Sandbox, StateAccess, StateError};

use crate::data::{Year, import, open, target, temporary};
use crate::rebuild::native;
use crate::report::{Contestant, Lap, compare, count, quantile, size};

const LANGUAGES: [&str; 8] = ["rust", "c", "zig", "assemblyscript", "go", "javascript", "typescript", "python"];

const EVENTS: usize = 200_000;
const ROUNDS: usize = 3;

/// A plugin that was built, and what it takes before its first event.
struct Guest {
    language: &'static str,
    component_bytes: usize,
    code_bytes: u64,
    compile: Duration,
    /// A call without events, in a new instance.
    empty_call: Duration,
}

pub(crate) fn run(year: &Year) {
    let built = target().join("languages/count-and-sum");
    let arrivals = arrivals(year);
    let dir = temporary();
    let engine = open(&dir);
    import(&engine, &arrivals);
    let mut guests = Vec::new();
    for language in LANGUAGES {
        let file = built.join(language).with_extension("wasm");
        match std::fs::read(&file) {
            Ok(bytes) => guests.push(prepare(&engine, language, &bytes)),
            Err(_) => println!("\n{language} is left out: plugins/build.sh has not built {}", file.display()),
        }
    }
    let log = engine.log();
    let mut contestants = vec![Contestant::new("native", || Lap::of(EVENTS, || native(log)))];
    for guest in &guests {
        let engine = &engine;
        contestants.push(Contestant::new(guest.language, move || {
            Lap::of(EVENTS, || drop(engine.rebuild(guest.language, |_| ()).unwrap()))
        }));
    }
    let rates = compare("Count and sum by aircraft, 200,000 events", "events", ROUNDS, contestants);
    let rust = guests.iter().position(|guest| guest.language == "rust").map(|at| rates[at + 1]);
    println!(
        "\n| language | events/s | of native | Rust is faster by | component | compiled | compiling | empty call | memory |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (guest, rate) in guests.iter().zip(&rates[1..]) {
        let behind = rust.map_or_else(String::new, |rust| format!("{:.1}", rust / rate));
        let memory = engine.status(guest.language).unwrap().readable.memory_bytes_peak;
        println!(
            "| {} | {} | {:.3} | {behind} | {} | {} | {:.2} s | {:.2} ms | {} |",
            guest.language,
            count(*rate),
            rate / rates[0],
            size(guest.component_bytes as u64),
            size(guest.code_bytes),
            guest.compile.as_secs_f64(),
            guest.empty_call.as_secs_f64() * 1e3,
            size(memory),
        );
    }
}

/// So many landings, the year's first and then the year's again under other names.
fn arrivals(year: &Year) -> String {
    let is_arrival = |line: &&str| line.contains("\"flight.arrived\"");
    let mut text = String::new();
    let lines = (0..).flat_map(|round| year.ndjson.lines().filter(is_arrival).map(move |line| (round, line)));
    for (round, line) in lines.take(EVENTS) {
        text += &line
            .replace("\"flight/2", &format!("\"flight/{round}-2"))
            .replace("\"id\":\"", &format!("\"id\":\"{round}:"));
        text.push('\n');
    }
    text
}

fn prepare(engine: &Engine, language: &'static str, bytes: &[u8]) -> Guest {
    let installed = engine.install(bytes).unwrap().plugin;
    let new = NewProjection {
        name: PluginName::new(language).unwrap(),
        plugin: installed.digest.clone(),
        parameters: "{}".into(),
        on_fault: FaultPolicy::Halt,
        fuel_per_event: None,
        memory_bytes: None,
        sync: false,
        quota: Quota::default(),
        keep: Keep::default(),
        dropped: Default::default(),
    };
    engine.create(&new).unwrap();
    let digest = installed.digest.parse().unwrap();
    let component = engine.plugin_bytes(digest).unwrap();
    let cache = temporary();
    let sandbox = Sandbox::new(Some(cache.path())).unwrap();
    let began = Instant::now();
    let plugin = sandbox.load(digest, &component, &Limits::default()).unwrap();
    let compile = began.elapsed();
    let Plugin::Projection(projection) = plugin else { panic!("{language} is a projection") };
    let code = std::fs::read_dir(cache.path()).unwrap().map(|file| file.unwrap());
    let code_bytes = code
        .filter(|file| file.path().extension().is_some_and(|end| end == "code"))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    let empty_call = empty_call(&projection);
    Guest { language, component_bytes: component.len(), code_bytes, compile, empty_call }
}

fn empty_call(projection: &Projection) -> Duration {
    const TIMES: usize = 50;
    let mut seconds: Vec<f64> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            let call = Call {
                events: Arc::new(Batch::default()),
                range: 0..0,
                parameters: "{}".into(),
                state: Box::new(Empty),
            };
            projection.apply(call).result.unwrap();
            began.elapsed().as_secs_f64()
        })
        .collect();
    Duration::from_secs_f64(quantile(&mut seconds, 0.5))
}

/// The state of a call without events.
struct Empty;

impl StateAccess for Empty {
    fn get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    fn put(&mut self, _key: &str, _value: Option<Vec<u8>>) -> Result<(), StateError> {
        Ok(())
    }

    fn scan(&mut self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<(String, Vec<u8>)>, StateError> {
        Ok(Vec::new())
    }
}
