//! How many events go into one call. The answer never changes a state, only how fast it is made.

use std::time::Duration;

/// Where adaptive sizing starts: enough to share the cost of an instance.
const SMALLEST: usize = 64;

/// The most events in one call; what a plugin may rely on, so part of the ABI's documentation.
pub(super) const EVENTS_MAX: usize = 8_192;

/// The most payload bytes in one call, unless one event is larger.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// A larger batch must be this much faster to be worth its memory.
const GAIN: f64 = 1.05;

/// Calls of one size before its rate is believed: the machine's other work slows single calls to a fraction.
const TRIES: usize = 3;

/// A rule for the number of events in a call.
#[derive(Clone, Debug)]
pub enum Sizing {
    /// Doubles as long as that makes the feed faster.
    Adaptive(Adaptive),
    /// Takes these sizes in turn, over and over.
    Cycle { sizes: Vec<usize>, next: usize },
}

/// The state of adaptive sizing.
#[derive(Clone, Debug)]
pub struct Adaptive {
    size: usize,
    /// The rate of the size before.
    rate_before: f64,
    /// The best rate of the present size, and how often it was tried.
    rate: f64,
    tries: usize,
    settled: bool,
}

impl Sizing {
    pub fn adaptive() -> Self {
        Self::Adaptive(Adaptive { size: SMALLEST, rate_before: 0.0, rate: 0.0, tries: 0, settled: false })
    }

    /// # Panics
    /// If there is no size, or one is 0.
    pub fn cycle(sizes: &[usize]) -> Self {
        assert!(!sizes.is_empty() && sizes.iter().all(|size| *size > 0), "sizes are positive");
        Self::Cycle { sizes: sizes.to_vec(), next: 0 }
    }

    /// How many events the next call should take.
    pub(super) fn next(&mut self) -> usize {
        match self {
            Self::Adaptive(adaptive) => adaptive.size,
            Self::Cycle { sizes, next } => {
                let size = sizes[*next % sizes.len()];
                *next += 1;
                size.min(EVENTS_MAX)
            }
        }
    }

    /// Learns from a call that succeeded.
    pub(super) fn succeeded(&mut self, events: usize, took: Duration) {
        let Self::Adaptive(adaptive) = self else { return };
        // A batch that was cut short by the end of the log says nothing about its size.
        if adaptive.settled || events < adaptive.size {
            return;
        }
        // The best of a few is nearest to what the size costs by itself.
        adaptive.rate = adaptive.rate.max(events as f64 / took.as_secs_f64().max(1e-9));
        adaptive.tries += 1;
        if adaptive.tries < TRIES {
            return;
        }
        if adaptive.rate < adaptive.rate_before * GAIN {
            adaptive.settled = true;
            adaptive.size = (adaptive.size / 2).max(SMALLEST);
            return;
        }
        adaptive.settled = adaptive.size == EVENTS_MAX;
        adaptive.size = (adaptive.size * 2).min(EVENTS_MAX);
        (adaptive.rate_before, adaptive.rate, adaptive.tries) = (adaptive.rate, 0.0, 0);
    }

    /// Learns from a call that was too much at once: it failed, but its parts did not.
    pub(super) fn too_much(&mut self, events: usize) {
        let Self::Adaptive(adaptive) = self else { return };
        adaptive.settled = true;
        adaptive.size = adaptive.size.min((events / 2).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(micros: impl Fn(usize) -> u64) -> usize {
        let mut sizing = Sizing::adaptive();
        for _ in 0..60 {
            let size = sizing.next();
            sizing.succeeded(size, Duration::from_micros(micros(size)));
        }
        sizing.next()
    }

    #[test]
    fn batches_grow_while_that_pays() {
        assert_eq!(settle(|size| 10_000 + size as u64), EVENTS_MAX, "a high cost for each call");
        assert_eq!(settle(|size| size as u64 * 10), SMALLEST, "no cost for each call");
        assert_eq!(settle(|size| 300 + size as u64 * (size as u64 / 256 + 1)), 256, "larger batches get slow");
    }

    #[test]
    fn a_call_that_was_slow_by_chance_changes_nothing() {
        let calls = std::cell::Cell::new(0);
        let size = settle(|size| {
            calls.set(calls.get() + 1);
            if calls.get() % 3 == 0 { 1_000_000 } else { 10_000 + size as u64 }
        });
        assert_eq!(size, EVENTS_MAX);
    }

    #[test]
    fn a_batch_that_was_too_much_is_not_tried_again() {
        let mut sizing = Sizing::adaptive();
        sizing.too_much(64);
        assert_eq!(sizing.next(), 32);
        sizing.succeeded(32, Duration::from_micros(1));
        assert_eq!(sizing.next(), 32);
    }
}
