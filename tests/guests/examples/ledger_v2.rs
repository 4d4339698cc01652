//! The ledger's second version: amounts from 1,000 on count twice, and a count of events beside them. It refuses 666.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};

struct Ledger;

impl Projection for Ledger {
    fn describe() -> Manifest {
        Manifest::new("ledger", "0.2.0", "the sum of all amounts, large ones twice, and that of each stream")
            .event_types(["booked"])
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        let count: u64 = state::get("count")?.unwrap_or(0);
        state::put("count", &(count + events.len() as u64))?;
        polyfold_test_guests::ledger::book(events, 1_000, Some(666))
    }
}

export_projection!(Ledger);
