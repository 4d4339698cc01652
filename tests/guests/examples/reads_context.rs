//! Writes all that the context says: each event's envelope, and the parameters.

use polyfold_guest::{Error, Event, Manifest, Projection, context, export_projection, state};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Envelope {
    id: String,
    occurred_at: Option<i64>,
    actor: Option<String>,
    causation_id: Option<String>,
    correlation_id: Option<String>,
    metadata: BTreeMap<String, String>,
    tags: Vec<String>,
}

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("reads-context", "0.1.0", "each event's envelope by sequence, and the parameters").view(
            "envelopes",
            "envelope/",
            "what the event itself leaves out",
        )
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        for event in events {
            let Some(found) = context::envelope(event.sequence) else {
                return Err(event.fault("there is no envelope of an event of this call"));
            };
            let envelope = Envelope {
                id: found.id,
                occurred_at: found.occurred_at,
                actor: found.actor,
                causation_id: found.causation_id,
                correlation_id: found.correlation_id,
                metadata: found.metadata.into_iter().collect(),
                tags: found.tags,
            };
            state::put(&format!("envelope/{:06}", event.sequence), &envelope)?;
        }
        state::put("none", &context::envelope(0).is_none())?;
        state::put("parameters", &context::parameters::<BTreeMap<String, serde_json::Value>>()?)
    }
}

export_projection!(Guest);
