//! What the guests share: they count events by type, and misbehave on an event whose payload says `"bad": true`.

pub mod journal;
pub mod ledger;

use polyfold_guest::{Error, Event, state};
use serde::Deserialize;

/// Makes a projection of this name that counts events by type and does `misbehave` on a bad one.
#[macro_export]
macro_rules! misbehaving {
    ($name:literal, $misbehave:expr) => {
        struct Guest;

        impl polyfold_guest::Projection for Guest {
            fn describe() -> polyfold_guest::Manifest {
                polyfold_guest::Manifest::new($name, "0.1.0", "counts events by type, and misbehaves on a bad one")
            }

            fn apply(events: &[polyfold_guest::Event]) -> Result<(), polyfold_guest::Error> {
                $crate::count_by_type(events, $misbehave)
            }
        }

        polyfold_guest::export_projection!(Guest);
    };
}

/// Adds events to the counts `type/<type>`, but does `misbehave` first on a bad one.
pub fn count_by_type(events: &[Event], misbehave: fn(&Event) -> Result<(), Error>) -> Result<(), Error> {
    for event in events {
        if is_bad(event) {
            misbehave(event)?;
        }
        let key = format!("type/{}", event.event_type);
        let count: u64 = state::get(&key)?.unwrap_or(0);
        state::put(&key, &(count + 1))?;
    }
    Ok(())
}

/// Says whether an event's payload has `"bad": true`.
pub fn is_bad(event: &Event) -> bool {
    #[derive(Deserialize)]
    struct Trigger {
        bad: bool,
    }
    event.payload::<Trigger>().is_ok_and(|trigger| trigger.bad)
}
