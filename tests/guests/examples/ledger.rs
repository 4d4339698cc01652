//! The ledger's first version: the sum of all amounts, and that of each stream. It refuses the amount 13.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Ledger;

impl Projection for Ledger {
    fn describe() -> Manifest {
        Manifest::new("ledger", "0.1.0", "the sum of all amounts, and that of each stream").event_types(["booked"])
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        polyfold_test_guests::ledger::book(events, u64::MAX, Some(13))
    }
}

export_projection!(Ledger);
