//! Counts the calls in which it was handed events: what it makes depends on where batches are cut, and on nothing else.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("counts-calls", "0.1.0", "how many calls it took")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        let key = events.first().map(|event| format!("calls/{}", event.event_type)).unwrap_or_default();
        let calls: u64 = state::get(&key)?.unwrap_or(0);
        state::put(&key, &(calls + 1))?;
        for event in events {
            state::put(&format!("seen/{}", event.stream), &event.sequence)?;
        }
        Ok(())
    }
}

export_projection!(Guest);
