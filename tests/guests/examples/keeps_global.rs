//! Counts events in a static, so that its state depends on where batches are cut: verification should find it.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};
use std::sync::atomic::{AtomicU64, Ordering};

static SEEN: AtomicU64 = AtomicU64::new(0);

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("keeps-global", "0.1.0", "how many events it has seen, as far as it remembers")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        for event in events {
            let seen = SEEN.fetch_add(1, Ordering::Relaxed) + 1;
            state::put(&format!("seen/{}", event.event_type), &seen)?;
        }
        Ok(())
    }
}

export_projection!(Guest);
