//! What each aircraft has done: its legs, its minutes in the air, its miles, and where it was last seen.
//!
//! Reads flights of schema version 2 and knows an aircraft by its tail number. Arrivals without one are passed over.

use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, export_projection};
use serde::{Deserialize, Serialize};

#[derive(Debug)]
pub struct Aircraft;

export_projection!(Keyed<Aircraft>);

#[derive(Debug, Deserialize)]
pub struct Arrival<'a> {
    tailnum: Option<&'a str>,
    dest: &'a str,
    air_time: u64,
    distance: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub legs: u64,
    pub air_minutes: u64,
    pub miles: u64,
    /// Where the last leg ended, and the sequence of the event that says so.
    pub last_airport: String,
    pub last_sequence: u64,
}

impl KeyedFold for Aircraft {
    type Payload<'a> = Arrival<'a>;
    type Value = Record;

    fn describe() -> Manifest {
        let description = "legs, minutes in the air, miles and last airport of each aircraft";
        Manifest::new("aircraft", env!("CARGO_PKG_VERSION"), description).event_types(["flight.arrived"]).view(
            "aircraft",
            "aircraft/",
            "by tail number",
        )
    }

    fn payload(event: &Event) -> Result<Arrival<'_>, Error> {
        event.expect_schema_version(2, "install the upcaster flights-v2")?;
        event.payload()
    }

    fn keys(_: &Event, arrival: &Arrival<'_>, keys: &mut Keys) -> Result<(), Error> {
        if let Some(tail) = arrival.tailnum {
            keys.push_parts(["aircraft/", tail]);
        }
        Ok(())
    }

    fn fold(record: &mut Record, event: &Event, arrival: &Arrival<'_>, _key: &str) -> Result<(), Error> {
        record.legs += 1;
        record.air_minutes += arrival.air_time;
        record.miles += arrival.distance;
        arrival.dest.clone_into(&mut record.last_airport);
        record.last_sequence = event.sequence;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::json;

    fn arrival(tail: Option<&str>, dest: &str, air_time: u64, distance: u64) -> Event {
        let payload =
            json!({"tailnum": tail, "dest": dest, "air_time": air_time, "distance": distance, "carrier": "UA"});
        event("flight.arrived", payload).at_schema_version(2)
    }

    #[test]
    fn legs_minutes_and_miles_add_up_and_the_last_airport_stays() {
        for size in [1, 2, 4] {
            let mut harness = Harness::<Keyed<Aircraft>>::new().batches_of(size);
            let arrivals = [
                arrival(Some("N14228"), "IAH", 227, 1400),
                arrival(None, "MIA", 160, 1089),
                arrival(Some("N24211"), "IAH", 227, 1416),
                arrival(Some("N14228"), "SFO", 360, 2565),
            ];
            harness.apply(arrivals).unwrap();
            let record = harness.get::<Record>("aircraft/N14228");
            let expected =
                Record { legs: 2, air_minutes: 587, miles: 3965, last_airport: "SFO".into(), last_sequence: 4 };
            assert_eq!(record, Some(expected));
            assert_eq!(harness.entries().len(), 2);
        }
    }

    #[test]
    fn an_event_of_version_1_is_refused_with_the_way_out() {
        let old = arrival(Some("N14228"), "IAH", 1, 1).at_schema_version(1);
        let error = Harness::<Keyed<Aircraft>>::new().apply([old]).unwrap_err().to_string();
        assert!(error.ends_with("install the upcaster flights-v2"), "{error}");
    }
}
