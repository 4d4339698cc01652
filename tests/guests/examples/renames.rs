//! An upcaster that gives events a new type, and refuses a bad one.

use polyfold_guest::{Error, Event, Fields, Payload, Upcaster, UpcasterManifest, export_upcaster};
use polyfold_test_guests::is_bad;

struct Guest;

impl Upcaster for Guest {
    fn describe() -> UpcasterManifest {
        UpcasterManifest::new("renames", "0.1.0", "order.placed becomes order.created").renaming_step(
            "order.placed",
            1,
            "order.created",
        )
    }

    fn upcast(event: &Event) -> Result<Payload, Error> {
        if is_bad(event) {
            return Err(event.fault("the payload says that it is bad"));
        }
        let mut fields = Fields::of(event)?;
        fields.put("renamed", &true)?;
        Ok(fields.into_payload())
    }
}

export_upcaster!(Guest);
