//! Minutes in the air by tail number, of flights in schema version 1: what benchmarks measure.

use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, export_projection};
use serde::{Deserialize, Serialize};

struct Guest;

#[derive(Deserialize)]
struct Arrival<'a> {
    tailnum: Option<&'a str>,
    air_time: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct Total {
    count: u64,
    sum: u64,
}

impl KeyedFold for Guest {
    type Payload<'a> = Arrival<'a>;
    type Value = Total;

    fn describe() -> Manifest {
        Manifest::new("count-and-sum", "0.1.0", "flights and minutes in the air by tail number")
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

export_projection!(Keyed<Guest>);
