//! Writes down how often its instance was called before: always never, as long as each call has an instance of its own.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};
use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("remembers-calls", "0.1.0", "how often its instance was called before each event")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        let before = CALLS.fetch_add(1, Ordering::Relaxed);
        for event in events {
            state::put(&format!("before/{}", event.event_type), &before)?;
        }
        Ok(())
    }
}

export_projection!(Guest);
