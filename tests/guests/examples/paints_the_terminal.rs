//! Speaks to the terminal of whoever looks at it: it would clear the screen and set another title.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("paints-the-terminal", "0.1.0", "all is well\u{1b}[2J\u{1b}[H, it says")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        polyfold_guest::info!("\u{9b}2J");
        polyfold_test_guests::count_by_type(events, |event| Err(event.fault("\u{1b}]0;all is well\u{7}\u{1b}[2J")))
    }
}

export_projection!(Guest);
