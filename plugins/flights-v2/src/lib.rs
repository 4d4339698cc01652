//! Lifts flights from schema version 1 to 2: clock times become minutes since local midnight, delays an object.
//!
//! Version 1 writes a clock time as the integer HHMM (`515` is 5:15), with which nothing can be computed, and names
//! its fields as the source's table does. Fields that this upcaster does not know stay as they are.

use polyfold_guest::{Error, Event, Fields, Payload, Upcaster, UpcasterManifest, bail, export_upcaster};

#[derive(Debug)]
pub struct FlightsV2;

export_upcaster!(FlightsV2);

impl Upcaster for FlightsV2 {
    fn describe() -> UpcasterManifest {
        let description = "flights: minutes since local midnight in place of HHMM, delays in an object";
        UpcasterManifest::new("flights-v2", env!("CARGO_PKG_VERSION"), description)
            .step("flight.departed", 1)
            .step("flight.arrived", 1)
            .step("flight.cancelled", 1)
            .step("flight.diverted", 1)
    }

    fn upcast(event: &Event) -> Result<Payload, Error> {
        let mut fields = Fields::of(event)?;
        match event.event_type.as_str() {
            "flight.departed" => {
                clock_time(&mut fields, "sched_dep_time", "scheduled")?;
                clock_time(&mut fields, "dep_time", "departed")?;
                delay(&mut fields, "dep_delay", "departure")?;
            }
            "flight.arrived" => {
                clock_time(&mut fields, "sched_arr_time", "scheduled")?;
                clock_time(&mut fields, "arr_time", "arrived")?;
                delay(&mut fields, "arr_delay", "arrival")?;
            }
            "flight.cancelled" => clock_time(&mut fields, "sched_dep_time", "scheduled")?,
            // A diverted flight has a route and no times.
            "flight.diverted" => {}
            other => bail!("{other} is not an event of flights"),
        }
        // An unknown aircraft is one without the field: a reader has one case less.
        if let Some(tail) = fields.take_if_present::<String>("tailnum")? {
            fields.put("tailnum", &tail)?;
        }
        Ok(fields.into_payload())
    }
}

/// Moves a clock time to its new name, as minutes since midnight.
fn clock_time<'a>(fields: &mut Fields<'a>, name: &str, new_name: &'a str) -> Result<(), Error> {
    let hhmm: i64 = fields.take(name)?;
    let Some(minutes) = minutes_since_midnight(hhmm) else {
        bail!("field \"{name}\": {hhmm} is not a clock time HHMM from 0 to 2400");
    };
    fields.put(new_name, &minutes)
}

/// Moves a delay in minutes, negative if early, to the object `delay`.
fn delay(fields: &mut Fields<'_>, name: &str, of: &str) -> Result<(), Error> {
    let minutes: i64 = fields.take(name)?;
    fields.put("delay", &std::collections::BTreeMap::from([(of, minutes)]))
}

/// The source writes midnight at the end of a day as 2400.
fn minutes_since_midnight(hhmm: i64) -> Option<i64> {
    let (hours, minutes) = (hhmm / 100, hhmm % 100);
    let valid = (0..=2400).contains(&hhmm) && minutes < 60;
    valid.then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::{Value, json};

    fn check(event_type: &str, from: Value, to: Value) {
        let lifted = Harness::<FlightsV2>::new().upcast(event(event_type, from)).unwrap();
        assert_eq!(lifted.payload_json(), to);
        assert_eq!((lifted.schema_version, lifted.event_type.as_str()), (2, event_type));
    }

    #[test]
    fn each_type_gets_its_new_shape() {
        check(
            "flight.departed",
            json!({"carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH", "tailnum": "N14228",
                "sched_dep_time": 515, "dep_time": 2400, "dep_delay": 2}),
            json!({"carrier": "UA", "flight": 1545, "origin": "EWR", "dest": "IAH", "tailnum": "N14228",
                "scheduled": 315, "departed": 1440, "delay": {"departure": 2}}),
        );
        check(
            "flight.arrived",
            json!({"carrier": "UA", "tailnum": null, "sched_arr_time": 819, "arr_time": 5, "arr_delay": -11,
                "air_time": 227, "distance": 1400}),
            json!({"carrier": "UA", "scheduled": 499, "arrived": 5, "delay": {"arrival": -11}, "air_time": 227,
                "distance": 1400}),
        );
        check(
            "flight.cancelled",
            json!({"carrier": "B6", "sched_dep_time": 600}),
            json!({"carrier": "B6", "scheduled": 360}),
        );
        check("flight.diverted", json!({"carrier": "MQ", "dest": "XNA"}), json!({"carrier": "MQ", "dest": "XNA"}));
    }

    #[test]
    fn fields_that_it_does_not_know_stay() {
        let notes = json!({"crew": [1, 2.5], "remark": null});
        let from = json!({"sched_dep_time": 0, "notes": notes});
        check("flight.cancelled", from, json!({"scheduled": 0, "notes": notes}));
    }

    #[test]
    fn what_is_no_clock_time_is_an_error_that_names_it() {
        let error =
            |payload| Harness::<FlightsV2>::new().upcast(event("flight.cancelled", payload)).unwrap_err().to_string();
        for wrong in [1275, 2401, -5, 60] {
            let says = format!("field \"sched_dep_time\": {wrong} is not a clock time HHMM from 0 to 2400");
            assert_eq!(error(json!({"sched_dep_time": wrong})), says);
        }
        assert_eq!(error(json!({})), "flight.cancelled, schema version 1: missing field \"sched_dep_time\"");
        let says = "field \"sched_dep_time\": invalid type: string \"6:00\", expected i64";
        assert!(error(json!({"sched_dep_time": "6:00"})).ends_with(says));
    }

    #[test]
    fn an_event_of_version_2_stays_as_it_is() {
        let lifted = event("flight.diverted", json!({"carrier": "MQ"})).at_schema_version(2);
        let again = Harness::<FlightsV2>::new().upcast(lifted.clone()).unwrap();
        assert_eq!(again.payload, lifted.payload);
    }
}
