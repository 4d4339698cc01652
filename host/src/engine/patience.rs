//! How long a call may take. A batch that ran out of time is tried again in halves, each with less time than the whole
//! had; an event alone has all of it, because what passes it then is a pause.

use std::time::Duration;

use crate::plugin::{Failure, Mishap};

/// The time of a part of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Of an event alone.
    whole: Duration,
    part: Duration,
}

/// 300 ms: three ticks of the clock that deadlines are measured with.
const LEAST: Duration = Duration::from_millis(300);

impl Patience {
    pub(super) fn new(whole: Duration) -> Self {
        Self { whole, part: whole }
    }

    /// The time for a call of so many events.
    pub(super) fn of(self, events: usize) -> Duration {
        if events == 1 { self.whole } else { self.part }
    }

    /// The time that the halves have of what failed like that.
    pub(super) fn after(self, failure: &Failure) -> Self {
        match failure {
            Failure::Mishap(Mishap::Deadline { .. }) => self.after_deadline(),
            Failure::Mishap(Mishap::StackOverflow | Mishap::Host { .. }) | Failure::Verdict(_) => self,
        }
    }

    /// The time that a half has, whose whole ran out of time: three quarters. All halvings together then take four times
    /// the whole's time at most, however many there are, besides the last event's own; and a batch that was slow
    /// throughout comes to parts that fit, because each holds half as many events.
    fn after_deadline(self) -> Self {
        Self { part: (self.part * 3 / 4).max(LEAST).min(self.whole), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the calls take until a batch of `events` whose first one hangs is known to, and how many they are.
    fn until_alone(whole: Duration, mut events: usize) -> (Duration, usize) {
        let (mut patience, mut calls, mut took) = (Patience::new(whole), 1, Duration::ZERO);
        while events > 1 {
            took += patience.of(events);
            patience = patience.after_deadline();
            (events, calls) = (events / 2, calls + 1);
        }
        (took + patience.of(1), calls)
    }

    #[test]
    fn an_event_that_hangs_is_alone_after_five_times_its_time_at_most() {
        let whole = Duration::from_secs(10);
        for events in [1, 2, 64, 8_192] {
            let (took, calls) = until_alone(whole, events);
            assert!(took <= whole * 5, "{took:?}");
            assert_eq!(calls, events.ilog2() as usize + 1);
        }
    }

    #[test]
    fn an_event_alone_has_the_whole_time_and_no_part_has_more() {
        for whole in [Duration::from_millis(100), Duration::from_secs(10)] {
            let mut patience = Patience::new(whole);
            for _ in 0..13 {
                patience = patience.after_deadline();
                assert_eq!(patience.of(1), whole);
                assert!(patience.of(2) <= whole && patience.of(2) >= LEAST.min(whole));
            }
        }
    }
}
