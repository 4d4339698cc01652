//! Another ledger: amounts from 1,000 on count twice, and nothing else differs.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Ledger;

impl Projection for Ledger {
    fn describe() -> Manifest {
        Manifest::new("ledger-doubling", "0.1.0", "the sum of all amounts, large ones twice").event_types(["booked"])
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        polyfold_test_guests::ledger::book(events, 1_000, None)
    }
}

export_projection!(Ledger);
