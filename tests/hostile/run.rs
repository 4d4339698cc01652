//! Runs a hostile plugin in a host of its own, beside a projection that does its work.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::case::{Case, Plugin};
use crate::program::Environment;
use crate::service::client::Api;
use crate::service::server::{Server, block_on};

/// Appended while the hostile plugin runs; the projection beside it must get to the last of them.
const EVENTS_BESIDE: usize = 2_000;

/// The memory that an instance may have, and as much again for the host, its compiler and the events that it holds.
const PEAK_BYTES_MAX: u64 = 512 << 20;

/// What the projection beside it may take longer than alone: an order of magnitude, and what a busy machine adds.
const SLOWER_MAX: u32 = 10;
const BUSY: Duration = Duration::from_secs(30);

/// Far longer than any of them needs; one that still runs then is seen as that.
const SETTLES_WITHIN: Duration = Duration::from_secs(300);

/// What was seen of a case.
pub(crate) struct Seen {
    /// What became of the plugin, in words.
    pub(crate) text: String,
    /// The digest of the state beside it.
    beside: String,
    /// From appending to the other state's having it all.
    took: Duration,
    /// The most memory that the host's process had.
    peak_bytes: u64,
}

/// Runs the cases one after the other, and holds each against what is expected of it and against the bounds.
pub(crate) fn check(cases: Vec<Case>) {
    let alone = alone();
    for case in cases {
        let seen = run(Some(&case));
        let (row, mib, took) = (case.row(), seen.peak_bytes >> 20, seen.took.as_millis());
        println!(
            "{row}: peak {mib} MiB (alone {}), beside it {took} ms (alone {})",
            alone.peak_bytes >> 20,
            alone.took.as_millis()
        );
        case.seen.assert_eq(&seen.text);
        assert_eq!(seen.beside, alone.beside, "{row}: the state beside it is what it is without it");
        assert!(seen.peak_bytes < PEAK_BYTES_MAX, "{row}: the host took {mib} MiB");
        assert!(seen.took < alone.took * SLOWER_MAX + BUSY, "{row}: the projection beside it took {took} ms");
    }
}

/// What the host is without a hostile plugin.
fn alone() -> &'static Seen {
    static ALONE: OnceLock<Seen> = OnceLock::new();
    ALONE.get_or_init(|| run(None))
}

fn run(case: Option<&Case>) -> Seen {
    let environment = Environment::new();
    if let Some(Plugin::Bytes(_)) = case.map(|case| &case.plugin) {
        // Code of its own, so that each run compiles it.
        let cache = environment.dir.path().join("cache");
        std::fs::remove_file(&cache).unwrap();
        std::fs::create_dir(&cache).unwrap();
    }
    let server = Server::start(&environment, &[]);
    let seen = block_on(async {
        let api = Api::new(&server);
        prepare(&api).await;
        let installed = match case {
            Some(case) => install(&api, case).await,
            None => Err("there is none".to_owned()),
        };
        let began = Instant::now();
        let head = append_beside(&api).await;
        let reached = api.get(&format!("/projections/good/state?min_sequence={head}&timeout=60&limit=1")).await;
        let took = began.elapsed();
        assert_eq!(reached.0, 200, "{}", reached.1);
        let text = match installed {
            Ok(digest) => outcome(&api, &digest, head, case.is_some_and(|case| case.shows_its_state)).await,
            Err(refused) => {
                assert_eq!(api.get("/plugins").await.1.as_array().unwrap().len(), 1, "nothing else is installed");
                assert_eq!(files(&environment, "plugins"), 1, "and no file is left");
                format!("refused: {refused}\n")
            }
        };
        let verified = api.done("/projections/good/verify", &Value::Null).await;
        assert_eq!(verified["same"], true, "{verified}");
        api.done("/log/verify", &Value::Null).await;
        let beside = verified["digest"].as_str().unwrap().to_owned();
        Seen { text, beside, took, peak_bytes: server.peak_bytes() }
    });
    server.stop();
    seen
}

/// Four events that a plugin may take, one on which it misbehaves, and two behind it.
async fn prepare(api: &Api) {
    api.install("event-counts").await;
    api.done("/projections", &json!({ "name": "good", "plugin": "event-counts" })).await;
    for (event_type, data) in [
        ("order.placed", json!({})),
        ("order.paid", json!({ "bad": false })),
        ("order.placed", json!(null)),
        ("order.placed", json!({ "bad": true })),
        ("order.paid", json!([])),
        ("order.placed", json!(1)),
    ] {
        api.append("order/1", event_type, data).await;
    }
}

/// Installs the plugin and lets a projection run it. Returns its digest, or why it was refused.
async fn install(api: &Api, case: &Case) -> Result<String, String> {
    let (status, answer) = api.upload(case.bytes()).await;
    if status >= 400 {
        return Err(format!("{status}: {}", answer["detail"].as_str().unwrap()));
    }
    let digest = answer["digest"].as_str().unwrap().to_owned();
    let new = json!({ "name": "hostile", "plugin": digest, "fuel_per_event": case.fuel_per_event });
    api.done("/projections", &new).await;
    Ok(digest)
}

/// Appends events at once, and returns the last one's sequence.
async fn append_beside(api: &Api) -> u64 {
    let event =
        |number: usize| json!({ "stream": format!("other/{}", number % 10), "type": "order.other", "data": {} });
    let events: Vec<Value> = (0..EVENTS_BESIDE).map(event).collect();
    let appended = api.done("/events", &Value::Array(events)).await;
    appended["events"].as_array().unwrap().last().unwrap()["sequence"].as_u64().unwrap()
}

/// What becomes of the plugin's projection: how far it comes, why no further, its state and its faults.
async fn outcome(api: &Api, digest: &str, head: u64, shows_its_state: bool) -> String {
    let mut state = Value::Null;
    for _ in 0..SETTLES_WITHIN.as_secs() {
        // Whoever waits is told at once of what halts, and of what pauses when the second is over.
        api.get(&format!("/projections/hostile/state?min_sequence={head}&timeout=1&limit=1")).await;
        state = api.get("/projections/hostile").await.1["readable"].clone();
        let is_on_its_way = state["phase"] == "replaying" || state["phase"] == "live" && state["checkpoint"] != head;
        if !is_on_its_way {
            break;
        }
    }
    assert_eq!(state["plugin_digest"], digest);
    let mut text = format!("{} at {} of {head}", state["phase"].as_str().unwrap(), state["checkpoint"]);
    // Whatever it says of itself, this is a test's output.
    text.extend(state["reason"].as_str().map(|reason| format!(": {}", reason.replace(char::is_control, "?"))));
    text.push('\n');
    if !shows_its_state {
        return text;
    }
    let page = api.get("/projections/hostile/state?limit=20").await.1;
    for entry in page["entries"].as_array().unwrap() {
        writeln!(text, "{} = {}", entry["key"].as_str().unwrap(), entry["value"]).unwrap();
    }
    for fault in api.get("/projections/hostile/faults").await.1.as_array().unwrap() {
        writeln!(text, "fault at {}: {}: {}", fault["sequence"], fault["kind"].as_str().unwrap(), fault["message"])
            .unwrap();
    }
    text
}

fn files(environment: &Environment, folder: &str) -> usize {
    std::fs::read_dir(environment.dir.path().join(folder)).unwrap().count()
}
