//! How punctual flights are: by carrier, by airport of departure, by day, and by all three together.
//!
//! Reads flights of schema version 2. The airport is the one a flight leaves from, also for its arrival and its delay;
//! the day is the local day for which it was scheduled, which stands in the stream's name
//! (`flight/2013-01-01-UA1545-EWR`). A flight is late if it arrives more than 15 minutes after its time.

#[cfg(test)]
mod tests;

use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, bail, export_projection};
use serde::{Deserialize, Serialize};

/// More minutes than this after its time make an arrival late.
const LATE_AFTER_MINUTES: i64 = 15;

#[derive(Debug)]
pub struct OnTime;

export_projection!(Keyed<OnTime>);

/// What all four types say.
#[derive(Debug, Deserialize)]
pub struct Flight<'a> {
    carrier: &'a str,
    origin: &'a str,
    #[serde(default)]
    delay: Delay,
}

#[derive(Debug, Default, Deserialize)]
pub struct Delay {
    arrival: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Punctuality {
    /// Flights that were scheduled: departed and cancelled.
    pub flights: u64,
    pub departed: u64,
    pub arrived: u64,
    pub cancelled: u64,
    pub diverted: u64,
    /// Arrivals more than 15 minutes after their time.
    pub late: u64,
    /// Of all arrivals, early ones counting as negative; the mean and the maximum are of the same.
    pub delay_sum_minutes: i64,
    pub delay_mean_minutes: Option<f64>,
    pub delay_max_minutes: Option<i64>,
}

impl KeyedFold for OnTime {
    type Payload<'a> = Flight<'a>;
    type Value = Punctuality;

    fn describe() -> Manifest {
        let description = "how punctual flights are, by carrier, airport of departure and day";
        Manifest::new("on-time", env!("CARGO_PKG_VERSION"), description)
            .event_types(["flight.departed", "flight.arrived", "flight.cancelled", "flight.diverted"])
            .view("carriers", "carrier/", "by carrier")
            .view("airports", "airport/", "by the airport that flights leave from")
            .view("days", "day/", "by the local day for which flights were scheduled")
            .view("cells", "cell/", "by carrier, airport and day together")
    }

    fn payload(event: &Event) -> Result<Flight<'_>, Error> {
        event.expect_schema_version(2, "install the upcaster flights-v2")?;
        event.payload()
    }

    fn keys(event: &Event, flight: &Flight<'_>, keys: &mut Keys) -> Result<(), Error> {
        let day = day(event)?;
        keys.push_parts(["carrier/", flight.carrier]);
        keys.push_parts(["airport/", flight.origin]);
        keys.push_parts(["day/", day]);
        keys.push_parts(["cell/", flight.carrier, "/", flight.origin, "/", day]);
        Ok(())
    }

    fn fold(value: &mut Punctuality, event: &Event, flight: &Flight<'_>, _key: &str) -> Result<(), Error> {
        match event.event_type.as_str() {
            "flight.departed" => {
                value.flights += 1;
                value.departed += 1;
            }
            "flight.cancelled" => {
                value.flights += 1;
                value.cancelled += 1;
            }
            "flight.diverted" => value.diverted += 1,
            "flight.arrived" => match flight.delay.arrival {
                Some(minutes) => value.arrive(minutes),
                None => return Err(event.fault("missing field \"delay.arrival\"")),
            },
            other => bail!("{other} is not an event of flights"),
        }
        Ok(())
    }
}

impl Punctuality {
    fn arrive(&mut self, delay_minutes: i64) {
        self.arrived += 1;
        self.late += u64::from(delay_minutes > LATE_AFTER_MINUTES);
        self.delay_sum_minutes += delay_minutes;
        self.delay_mean_minutes = Some(self.delay_sum_minutes as f64 / self.arrived as f64);
        self.delay_max_minutes = self.delay_max_minutes.max(Some(delay_minutes));
    }
}

/// The local day for which a flight was scheduled: the first ten characters of its stream's name.
fn day(event: &Event) -> Result<&str, Error> {
    let is_day =
        |day: &str| day.bytes().enumerate().all(|(i, c)| if i == 4 || i == 7 { c == b'-' } else { c.is_ascii_digit() });
    match event.stream_name().get(..10) {
        Some(day) if is_day(day) => Ok(day),
        _ => Err(event.fault(&format!("no day at the start of the stream's name in \"{}\"", event.stream))),
    }
}
