//! Asks for payloads as JSON: counts events by type and keeps the last payload's text.

use polyfold_guest::{Error, Event, Manifest, PayloadEncoding, Projection, export_projection, state};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Count {
    count: u64,
    last: String,
}

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("counts-json", "0.1.0", "events by type, and the last payload as JSON")
            .payload_encoding(PayloadEncoding::Json)
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        for event in events {
            let Some(text) = event.json() else { return Err(event.fault("the payload is not JSON")) };
            let key = format!("type/{}", event.event_type);
            let mut count: Count = state::get(&key)?.unwrap_or_default();
            count.count += 1;
            text.clone_into(&mut count.last);
            state::put(&key, &count)?;
        }
        Ok(())
    }
}

export_projection!(Guest);
