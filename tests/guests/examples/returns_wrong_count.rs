//! An upcaster that leaves out the payloads of bad events.

#[cfg(target_arch = "wasm32")]
use by_hand::Guest;

// Not through the crate's own trait, which leaves no room for this mistake.
mod by_hand {
    use polyfold_guest::__private::upcaster::exports::polyfold::plugin::upcaster;
    use polyfold_guest::{Event, Payload, UpcasterManifest};
    use polyfold_test_guests::is_bad;

    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "there is nothing to export natively"))]
    pub(crate) struct Guest;

    impl upcaster::Guest for Guest {
        fn describe() -> upcaster::Manifest {
            UpcasterManifest::new("returns-wrong-count", "0.1.0", "leaves out bad events")
                .step("order.placed", 1)
                .into()
        }

        fn upcast(events: Vec<Event>) -> Result<Vec<Payload>, String> {
            Ok(events.into_iter().filter(|event| !is_bad(event)).map(|event| event.payload).collect())
        }
    }
}

#[cfg(target_arch = "wasm32")]
polyfold_guest::__private::export_upcaster_world!(Guest with_types_in polyfold_guest::__private::upcaster);
