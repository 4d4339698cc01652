//! How many events of each type and of each category a log holds, and the last of them. Works on any log.

use polyfold_guest::{Error, Event, Ignored, Keyed, KeyedFold, Keys, Manifest, export_projection};
use serde::{Deserialize, Serialize};

#[derive(Debug)]
pub struct EventCounts;

export_projection!(Keyed<EventCounts>);

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Count {
    pub count: u64,
    pub first_sequence: u64,
    pub last_sequence: u64,
}

impl KeyedFold for EventCounts {
    type Payload<'a> = Ignored;
    type Value = Count;

    fn describe() -> Manifest {
        let description = "how many events of each type and category there are, and the first and the last of them";
        Manifest::new("event-counts", env!("CARGO_PKG_VERSION"), description)
            .view("types", "type/", "events by type")
            .view("categories", "category/", "events by category, the part of a stream's name before the first slash")
    }

    fn keys(event: &Event, _: &Ignored, keys: &mut Keys) -> Result<(), Error> {
        keys.push_parts(["type/", &event.event_type]);
        keys.push_parts(["category/", event.category()]);
        Ok(())
    }

    fn fold(count: &mut Count, event: &Event, _: &Ignored, _key: &str) -> Result<(), Error> {
        if count.count == 0 {
            count.first_sequence = event.sequence;
        }
        count.count += 1;
        count.last_sequence = event.sequence;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::json;

    #[test]
    fn events_are_counted_by_type_and_by_category() {
        let mut harness = Harness::<Keyed<EventCounts>>::new().batches_of(2);
        let events = [
            event("order.placed", json!({"euros": 1})).in_stream("order/1"),
            event("order.paid", json!(null)).in_stream("order/1"),
            event("order.placed", json!("any payload will do")).in_stream("order/2"),
            event("user.joined", json!([])).in_stream("user/7"),
        ];
        harness.apply(events).unwrap();
        let check = |key: &str, count, first_sequence, last_sequence| {
            assert_eq!(harness.get(key), Some(Count { count, first_sequence, last_sequence }), "{key}");
        };
        check("type/order.placed", 2, 1, 3);
        check("type/order.paid", 1, 2, 2);
        check("category/order", 3, 1, 3);
        check("category/user", 1, 4, 4);
        assert_eq!(harness.entries().len(), 5);
    }
}
