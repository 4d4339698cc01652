//! Says that it is event-counts, and counts nothing.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("event-counts", "0.1.0", "how many events there are, it says")
    }

    fn apply(_: &[Event]) -> Result<(), Error> {
        state::put("type/order.placed", &0)
    }
}

export_projection!(Guest);
