//! The journal's first version: the sequences of all events in the order in which it was handed them. It refuses a bad one.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Journal;

impl Projection for Journal {
    fn describe() -> Manifest {
        Manifest::new("journal", "0.1.0", "the sequences of events in the order in which it was handed them")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        polyfold_test_guests::journal::write_down(events, true)
    }
}

export_projection!(Journal);
