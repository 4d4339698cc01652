//! Writes what clock and random numbers say: the same in every run that cuts batches at the same places.

use polyfold_guest::{Error, Event, Manifest, Projection, export_projection, state};
use std::collections::HashMap;
use std::time::{Instant, SystemTime};

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("uses-clock-and-random", "0.1.0", "what clocks and random numbers say")
            .view("clock", "clock/", "microseconds since 1970, as the wall clock says, by sequence")
            .view("elapsed", "elapsed/", "nanoseconds between two readings of the monotonic clock, by sequence")
            .view("order", "order/", "the order in which a hash map gives its keys, by sequence")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        for event in events {
            let start = Instant::now();
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            let numbers: HashMap<u32, ()> = (0..32).map(|number| (number, ())).collect();
            let order: Vec<u32> = numbers.into_keys().collect();
            state::put(&format!("clock/{:06}", event.sequence), &(now.as_micros() as u64))?;
            state::put(&format!("order/{:06}", event.sequence), &order)?;
            state::put(&format!("elapsed/{:06}", event.sequence), &(start.elapsed().as_nanos() as u64))?;
        }
        Ok(())
    }
}

export_projection!(Guest);
