//! What the writer counts of its work, since the directory was opened.

use std::sync::Mutex;
use std::time::Duration;

/// Events in a group: one client alone, a few at once, an import.
const GROUP_EVENTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0];

/// From a fast disk's sync to one that somebody should look at.
const COMMIT_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often what happened.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Appends that were answered with their places.
    pub appends: u64,
    /// Events that those appends brought, duplicates left out.
    pub append_events: u64,
    /// Appends that were answered with an error.
    pub refused: u64,
    /// Groups of appends that became durable together.
    pub commits: u64,
    /// Events in each of those groups.
    pub group_events: Histogram,
    /// How long each of those groups took to become durable.
    pub commit_seconds: Histogram,
}

/// How values are spread.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The largest value of each bucket but the last, which takes the rest.
    pub bounds: &'static [f64],
    /// Values in each bucket alone, one more than there are bounds.
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    fn observe(&mut self, value: f64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }
}

/// Where the writer counts and everyone else looks.
#[derive(Debug)]
pub(super) struct Counters(Mutex<Metrics>);

impl Counters {
    pub(super) fn new() -> Self {
        let (group_events, commit_seconds) = (Histogram::new(GROUP_EVENTS), Histogram::new(COMMIT_SECONDS));
        let metrics = Metrics { appends: 0, append_events: 0, refused: 0, commits: 0, group_events, commit_seconds };
        Self(Mutex::new(metrics))
    }

    pub(super) fn read(&self) -> Metrics {
        self.with(|metrics| metrics.clone())
    }

    pub(super) fn refused(&self, appends: u64) {
        self.with(|metrics| metrics.refused += appends);
    }

    /// Counts appends that were accepted together, with the events that became durable by it and what that took.
    pub(super) fn accepted(&self, appends: u64, events: u64, took: Duration) {
        self.with(|metrics| {
            metrics.appends += appends;
            // A group that brought nothing new was not written.
            if events > 0 {
                metrics.append_events += events;
                metrics.commits += 1;
                metrics.group_events.observe(events as f64);
                metrics.commit_seconds.observe(took.as_secs_f64());
            }
        });
    }

    fn with<T>(&self, run: impl FnOnce(&mut Metrics) -> T) -> T {
        run(&mut self.0.lock().expect("no thread panics while it counts"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 2.0, 2.5, 100.0].iter().for_each(|value| histogram.observe(*value));
        assert_eq!((histogram.counts, histogram.sum), (vec![2, 2, 2], 107.5));
    }
}
