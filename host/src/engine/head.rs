//! Where the log ends, and a way to wait for more, for threads and for tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_listener::{Event, EventListener, Listener};

use crate::event::Sequence;

/// The last event that is durable, and visible in the states that are made within the append.
#[derive(Debug)]
pub struct HeadWatch {
    head: AtomicU64,
    moved: Event,
}

impl HeadWatch {
    pub(super) fn new(head: Sequence) -> Self {
        Self { head: AtomicU64::new(head.0), moved: Event::new() }
    }

    pub fn sequence(&self) -> Sequence {
        Sequence(self.head.load(Ordering::SeqCst))
    }

    /// Hears of the next change. Listen, look, and only then wait: what changed in between has been heard.
    pub fn listen(&self) -> EventListener {
        self.moved.listen()
    }

    /// Waits until the log ends behind `known`, the time is over, or the waiting is: `is_over` is asked before, and
    /// who changes its answer calls `wake`.
    pub fn wait_beyond(&self, known: Sequence, at_most: Duration, is_over: impl Fn() -> bool) -> Sequence {
        let listener = self.listen();
        if self.sequence() <= known && !is_over() {
            listener.wait_timeout(at_most);
        }
        self.sequence()
    }

    /// Wakes everyone who waits, to look whether it should stop.
    pub(super) fn wake(&self) {
        self.moved.notify(usize::MAX);
    }

    pub(super) fn set(&self, head: Sequence) {
        // Only the writer sets it, so a head that stays needs to wake nobody.
        if self.head.swap(head.0, Ordering::SeqCst) != head.0 {
            self.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn who_waits_hears_of_a_new_head_and_of_its_end() {
        let (watch, stop) = (HeadWatch::new(Sequence(4)), AtomicBool::new(false));
        assert_eq!(watch.wait_beyond(Sequence(3), LONG, || false), Sequence(4), "it is there already");
        assert_eq!(watch.wait_beyond(Sequence(4), LONG, || true), Sequence(4), "it is over already");
        assert_eq!(watch.wait_beyond(Sequence(4), Duration::ZERO, || false), Sequence(4), "the time is over");
        std::thread::scope(|scope| {
            let follower = scope.spawn(|| {
                let mut seen = Sequence(4);
                while seen < Sequence(1_000) {
                    seen = watch.wait_beyond(seen, LONG, || false);
                }
                watch.wait_beyond(Sequence(1_000), LONG, || stop.load(Ordering::Relaxed))
            });
            (5..=1_000).for_each(|head| watch.set(Sequence(head)));
            stop.store(true, Ordering::Relaxed);
            watch.wake();
            assert_eq!(follower.join().unwrap(), Sequence(1_000));
        });
    }

    #[test]
    fn what_happens_between_listening_and_waiting_is_heard() {
        let watch = HeadWatch::new(Sequence::ZERO);
        let listener = watch.listen();
        watch.set(Sequence(1));
        assert!(listener.wait_timeout(LONG).is_some());
    }
}
