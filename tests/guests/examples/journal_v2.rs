//! The journal's second version: the sequences of all events in the order in which it was handed them. It takes every event.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Journal;

impl Projection for Journal {
    fn describe() -> Manifest {
        Manifest::new("journal", "0.2.0", "the sequences of events in the order in which it was handed them")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        polyfold_test_guests::journal::write_down(events, false)
    }
}

export_projection!(Journal);
