//! Never says what it is: it cannot be installed.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        loop {
            std::hint::black_box(());
        }
    }

    fn apply(_: &[Event]) -> Result<(), Error> {
        Ok(())
    }
}

export_projection!(Guest);
