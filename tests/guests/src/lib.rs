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

/// Asks for so many more pages of memory, and says whether it got them.
pub fn grow_memory(pages: usize) -> bool {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_grow::<0>(pages) != usize::MAX;
    #[cfg(not(target_arch = "wasm32"))]
    return pages == 0;
}

/// How many pages of memory there are.
pub fn memory_pages() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size::<0>() as u64;
    #[cfg(not(target_arch = "wasm32"))]
    return 0;
}

/// Makes a projection of this name that writes, for each event, what `look` sees of the instance that it runs in.
#[macro_export]
macro_rules! looking {
    ($name:literal, $look:expr) => {
        struct Guest;

        impl polyfold_guest::Projection for Guest {
            fn describe() -> polyfold_guest::Manifest {
                polyfold_guest::Manifest::new($name, "0.1.0", "what it sees of its instance, by sequence")
            }

            fn apply(events: &[polyfold_guest::Event]) -> Result<(), polyfold_guest::Error> {
                let look: fn(&[polyfold_guest::Event]) -> Vec<u64> = $look;
                for event in events {
                    polyfold_guest::state::put(&format!("seen/{:06}", event.sequence), &look(events))?;
                }
                Ok(())
            }
        }

        polyfold_guest::export_projection!(Guest);
    };
}

/// Something to take the address of.
pub fn is_even(number: u64) -> bool {
    number.is_multiple_of(2)
}
