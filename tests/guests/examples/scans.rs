//! Adds an item for each event and reads them all back, page by page.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("scans", "0.1.0", "items, and what a scan in pages finds of them").view(
            "items",
            "item/",
            "by sequence",
        )
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        for event in events {
            state::put(&format!("item/{:06}", event.sequence), &event.event_type)?;
        }
        // Neighbours that a scan must not return.
        state::put("item", &0)?;
        state::put("item0", &0)?;

        let (mut after, mut pages, mut items) = (None::<String>, 0u64, 0u64);
        loop {
            let page = state::scan::<String>("item/", after.as_deref(), 3)?;
            let Some((last, _)) = page.last() else { break };
            pages += 1;
            items += page.len() as u64;
            after = Some(last.clone());
        }
        state::put("pages", &pages)?;
        state::put("items", &items)?;
        state::put("last", &after)
    }
}

export_projection!(Guest);
