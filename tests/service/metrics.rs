//! What `/metrics` and `/readyz` say.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Api;
use super::server::{Server, block_on};
use crate::program::Environment;

/// A scrape as Prometheus reads it: values by name and labels.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(api: &Api) -> Self {
        let answer = api.request(Method::GET, "/metrics").send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
        Self::read(&answer.text().await.unwrap())
    }

    /// Reads the text format, and refuses what Prometheus would refuse or warn of.
    fn read(text: &str) -> Self {
        let (mut values, mut families, mut family) = (BTreeMap::new(), BTreeSet::new(), (String::new(), String::new()));
        assert!(text.ends_with('\n'));
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let name = help.split(' ').next().unwrap();
                assert!(help.len() > name.len() + 1 && families.insert(name.to_owned()), "{line}");
                let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
                assert!(name.starts_with("polyfold_") && is_name(name), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                family = (name.to_owned(), kind.to_owned());
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let suffixes: &[&str] = if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.iter().any(|suffix| name == format!("{}{suffix}", family.0)), "{line}");
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && values.insert(sample.to_owned(), value).is_none(), "{line}");
        }
        let scrape = Self(values);
        scrape.check_buckets(text);
        scrape
    }

    /// Buckets count all below them, and the last one counts everything.
    fn check_buckets(&self, text: &str) {
        let (mut before, mut series) = (0.0, String::new());
        for line in text.lines().filter(|line| line.contains("_bucket{")) {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (others, bound) = sample.rsplit_once("le=\"").unwrap();
            let value: f64 = value.parse().unwrap();
            assert!(others != series || value >= before, "{line}");
            (before, series) = (value, others.to_owned());
            if bound == "+Inf\"}" {
                let counted = others.replace("_bucket{", "_count{");
                let counted = counted.trim_end_matches(['{', ',']);
                let counted = if counted.contains('{') { format!("{counted}}}") } else { counted.to_owned() };
                assert_eq!(self.0[&counted], value, "{line}");
            }
        }
    }

    /// The one value of a metric whose labels hold all of that.
    #[track_caller]
    fn value(&self, name: &str, labels: &[&str]) -> f64 {
        let is_it = |sample: &&String| {
            sample.split('{').next() == Some(name) && labels.iter().all(|label| sample.contains(label))
        };
        let found: Vec<_> = self.0.keys().filter(is_it).collect();
        let [found] = found[..] else { panic!("{name} with {labels:?}: {found:?}") };
        self.0[found]
    }
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

async fn ready(api: &Api) -> String {
    let answer = api.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[test]
fn appends_and_projections_are_measured() {
    let environment = Environment::new();
    environment.install(&["ledger"]);
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        Scrape::of(api).await;
        api.done("/projections", &json!({ "name": "sums", "plugin": "ledger" })).await;
        for _ in 0..3 {
            api.append("account/1", "booked", json!({ "amount": 1 })).await;
        }
        let many: Value = (0..7).map(|_| json!({ "stream": "account/2", "type": "booked", "data": {} })).collect();
        let (status, _) = api.post("/events?expect=none", &many).await;
        assert_eq!(status, 400, "an expectation is of one stream's event");
        api.done("/events", &many).await;
        assert_eq!(api.post("/events?expect=none", &many[0]).await.0, 409);
        // Without an amount it halts.
        let waited = api.get("/projections/sums/state?min_sequence=10").await;
        assert_eq!(waited.0, 504, "{}", waited.1);
        let scrape = Scrape::of(api).await;
        for (name, value) in [
            ("polyfold_log_head_sequence", 10.0),
            ("polyfold_appends_total", 4.0),
            ("polyfold_appended_events_total", 10.0),
            ("polyfold_appends_refused_total", 1.0),
            ("polyfold_append_group_events_sum", 10.0),
            ("polyfold_append_group_events_count", 4.0),
            ("polyfold_append_commit_seconds_count", 4.0),
            ("polyfold_ready", 1.0),
        ] {
            assert_eq!(scrape.value(name, &[]), value, "{name}");
        }
        assert_eq!(scrape.value("polyfold_append_group_events_bucket", &["le=\"1\""]), 3.0);
        let sums = |name: &str, more: &[&str]| {
            let labels = [&["projection=\"sums\"", "role=\"serving\""], more].concat();
            scrape.value(&format!("polyfold_projection_{name}"), &labels)
        };
        assert_eq!((sums("checkpoint", &[]), sums("events_total", &[])), (3.0, 3.0));
        assert_eq!((sums("lag_events", &[]), sums("faults_total", &[])), (7.0, 1.0));
        assert_eq!((sums("phase", &["phase=\"halted\""]), sums("phase", &["phase=\"live\""])), (1.0, 0.0));
        assert_eq!(sums("last_error_info", &["error=\"halted at sequence 4 (booked): "]), 1.0);
        for name in
            ["lag_seconds", "fuel_total", "memory_peak_bytes", "batch_seconds", "last_progress_timestamp_seconds"]
        {
            assert!(sums(name, &[]) > 0.0, "{name}");
        }
        assert!(sums("events_per_second", &[]) >= 0.0);
        assert_eq!(ready(api).await, "ready\nprojection sums is halted\n");
    });
    server.stop();
}

#[test]
fn a_projection_that_cannot_start_is_seen() {
    let environment = Environment::new();
    environment.install(&["event-counts", "ledger"]);
    environment.ok(&["projection", "create", "counts", "--plugin", "event-counts"]);
    environment.ok(&["projection", "create", "sums", "--plugin", "ledger"]);
    environment.ok(&["append", "a/1", "t"]);
    environment.ok(&["projection", "get", "counts", "type/t"]);
    // The log goes back behind the state, which nobody mends by itself: it means that events were lost.
    let log = environment.dir.path().join("log.redb");
    let before = std::fs::read(&log).unwrap();
    environment.ok(&["append", "a/1", "t"]);
    environment.ok(&["projection", "get", "counts", "type/t"]);
    std::fs::write(&log, before).unwrap();
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        assert_eq!(ready(api).await, "ready\nprojection counts is not running\n");
        let scrape = Scrape::of(api).await;
        let phase = |name: &str, phase: &str| {
            let labels = [&format!("projection=\"{name}\"")[..], &format!("phase=\"{phase}\"")];
            scrape.value("polyfold_projection_phase", &labels)
        };
        assert_eq!((phase("counts", "failed"), phase("counts", "live"), phase("sums", "failed")), (1.0, 0.0, 0.0));
        assert_eq!(
            scrape.value("polyfold_projection_last_error_info", &["projection=\"counts\"", "the log was replaced"]),
            1.0
        );
        let rebuild = api.request(Method::POST, "/projections/counts/rebuild").header("accept", "text/event-stream");
        let rebuilt = rebuild.send().await.unwrap().text().await.unwrap();
        assert!(rebuilt.contains("event: result\n"), "{rebuilt}");
        let (_, entry) = api.get("/projections/counts/state/type/t?min_sequence=1").await;
        assert_eq!(entry["value"]["count"], json!(1));
        assert_eq!(ready(api).await, "ready\n");
        let scrape = Scrape::of(api).await;
        let labels = ["projection=\"counts\"", "phase=\"failed\""];
        assert_eq!(scrape.value("polyfold_projection_phase", &labels), 0.0);
    });
    server.stop();
}
