//! What is counted as it happens: requests, connections, subscribers.

use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// From an answer out of memory to one that waited for a state.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug)]
pub(in crate::server) struct Traffic {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    connections: IntGauge,
    subscribers: IntGauge,
}

/// Counts something that is there until it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Present(IntGauge);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Traffic {
    pub(in crate::server) fn new() -> Self {
        const VALID: &str = "the names above are valid and differ";
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).expect(VALID);
            registry.register(Box::new(gauge.clone())).expect(VALID);
            gauge
        };
        let connections = gauge("polyfold_http_connections", "Connections that are open.");
        let subscribers = gauge("polyfold_http_subscribers", "Requests that follow the log or a state as events.");
        let requests = Opts::new("polyfold_http_requests_total", "Requests that were answered.");
        let requests = IntCounterVec::new(requests, &["route", "method", "status"]).expect(VALID);
        let seconds = HistogramOpts::new("polyfold_http_request_seconds", "From a request's headers to its answer's.");
        let seconds = HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["route", "method"]).expect(VALID);
        registry.register(Box::new(requests.clone())).expect(VALID);
        registry.register(Box::new(seconds.clone())).expect(VALID);
        Self { registry, requests, seconds, connections, subscribers }
    }

    pub(in crate::server) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        // Anybody can make up a method too.
        let method = if METHODS.contains(&method) { method } else { "other" };
        self.requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.seconds.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    pub(in crate::server) fn connected(&self) -> Present {
        present(&self.connections)
    }

    pub(in crate::server) fn subscribed(&self) -> Present {
        present(&self.subscribers)
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

fn present(gauge: &IntGauge) -> Present {
    gauge.inc();
    Present(gauge.clone())
}
