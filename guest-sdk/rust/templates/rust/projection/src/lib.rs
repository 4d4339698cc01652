//! What each country has ordered: how many orders, and for how much.

use polyfold_guest::{Error, Event, Keyed, KeyedFold, Keys, Manifest, bail, export_projection};
use serde::{Deserialize, Serialize};

struct Revenue;

export_projection!(Keyed<Revenue>);

/// The payload of `order.placed` in schema version 1.
#[derive(Deserialize)]
struct Order<'a> {
    country: &'a str,
    euros: f64,
}

/// The value of a country. A country's first order is folded into the default.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Country {
    orders: u64,
    euros: f64,
}

impl KeyedFold for Revenue {
    type Payload<'a> = Order<'a>;
    type Value = Country;

    fn describe() -> Manifest {
        Manifest::new("{{name}}", env!("CARGO_PKG_VERSION"), "what each country has ordered")
            .event_types(["order.placed"])
            .view("countries", "country/", "by country")
    }

    fn payload(event: &Event) -> Result<Order<'_>, Error> {
        event.expect_schema_version(1, "update this plugin")?;
        event.payload()
    }

    fn keys(event: &Event, order: &Order<'_>, keys: &mut Keys) -> Result<(), Error> {
        if order.euros < 0.0 {
            bail!("{} costs {} euros, less than nothing", event.stream, order.euros);
        }
        keys.push_parts(["country/", order.country]);
        Ok(())
    }

    fn fold(country: &mut Country, _: &Event, order: &Order<'_>, _key: &str) -> Result<(), Error> {
        country.orders += 1;
        country.euros += order.euros;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::json;

    fn order(country: &str, euros: f64) -> Event {
        event("order.placed", json!({"country": country, "euros": euros})).in_stream("order/1")
    }

    #[test]
    fn orders_add_up_by_country_wherever_batches_are_cut() {
        for size in [1, 2, 3] {
            let mut harness = Harness::<Keyed<Revenue>>::new().batches_of(size);
            harness.apply([order("FR", 10.0), order("DE", 7.0), order("FR", 2.5)]).unwrap();
            assert_eq!(harness.get("country/FR"), Some(Country { orders: 2, euros: 12.5 }));
            assert_eq!(harness.get("country/DE"), Some(Country { orders: 1, euros: 7.0 }));
        }
    }

    #[test]
    fn an_order_below_nothing_is_refused() {
        let error = Harness::<Keyed<Revenue>>::new().apply([order("FR", -1.0)]).unwrap_err();
        assert_eq!(error.to_string(), "order/1 costs -1 euros, less than nothing");
    }

    #[test]
    fn another_schema_version_is_refused() {
        let error = Harness::<Keyed<Revenue>>::new().apply([order("FR", 1.0).at_schema_version(2)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "order.placed, schema version 2: expected schema version 1: update this plugin"
        );
    }
}
