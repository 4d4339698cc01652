//! Flights and minutes in the air by tail number, of flights in schema version 1: the benchmark that every language has.

use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, export_projection};
use serde::{Deserialize, Serialize};

#[derive(Debug)]
pub struct CountAndSum;

#[derive(Debug, Deserialize)]
pub struct Arrival<'a> {
    tailnum: Option<&'a str>,
    air_time: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Total {
    // In the order of canonical CBOR, so that every language writes the same bytes.
    sum: u64,
    count: u64,
}

impl KeyedFold for CountAndSum {
    type Payload<'a> = Arrival<'a>;
    type Value = Total;

    fn describe() -> Manifest {
        Manifest::new("count-and-sum", env!("CARGO_PKG_VERSION"), "flights and minutes in the air by tail number")
            .event_types(["flight.arrived"])
    }

    fn keys(_: &Event, arrival: &Arrival<'_>, keys: &mut Keys) -> Result<(), Error> {
        if let Some(tail) = arrival.tailnum {
            keys.push(tail);
        }
        Ok(())
    }

    fn fold(total: &mut Total, _: &Event, arrival: &Arrival<'_>, _key: &str) -> Result<(), Error> {
        total.count += 1;
        total.sum += arrival.air_time;
        Ok(())
    }
}

export_projection!(Keyed<CountAndSum>);

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::json;

    #[test]
    fn flights_and_minutes_add_up_by_tail_number_and_those_without_one_are_passed_over() {
        for size in [1, 2, 4] {
            let mut harness = Harness::<Keyed<CountAndSum>>::new().batches_of(size);
            let arrivals = [
                event("flight.arrived", json!({"tailnum": "N14228", "air_time": 227, "carrier": "UA"})),
                event("flight.arrived", json!({"tailnum": null, "air_time": 160})),
                event("flight.arrived", json!({"air_time": 160})),
                event("flight.arrived", json!({"tailnum": "N14228", "air_time": 360})),
            ];
            harness.apply(arrivals).unwrap();
            assert_eq!(harness.get::<Total>("N14228"), Some(Total { count: 2, sum: 587 }));
            assert_eq!(harness.entries().len(), 1);
        }
    }
}
