//! Lifts orders from schema version 1 to 2: whole cents in place of euros.

use polyfold_guest::{Error, Event, Fields, Payload, Upcaster, UpcasterManifest, export_upcaster};

struct OrdersV2;

export_upcaster!(OrdersV2);

impl Upcaster for OrdersV2 {
    fn describe() -> UpcasterManifest {
        UpcasterManifest::new("{{name}}", env!("CARGO_PKG_VERSION"), "orders: cents in place of euros")
            .step("order.placed", 1) // takes version 1, makes version 2
    }

    fn upcast(event: &Event) -> Result<Payload, Error> {
        let mut fields = Fields::of(event)?;
        let euros: f64 = fields.take("euros")?;
        fields.put("cents", &((euros * 100.0).round() as i64))?; // half a cent away from zero
        Ok(fields.into_payload()) // all other fields stay, bit by bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::testing::{Harness, event};
    use serde_json::json;

    #[test]
    fn euros_become_cents_and_other_fields_stay() {
        for (euros, cents) in [(9.5, 950), (0.125, 13), (-0.125, -13), (10.0, 1000)] {
            let old = event("order.placed", json!({"country": "FR", "euros": euros, "gift": [1, 1.5]}));
            let new = Harness::<OrdersV2>::new().upcast(old).unwrap();
            assert_eq!(new.payload_json(), json!({"country": "FR", "cents": cents, "gift": [1, 1.5]}));
            assert_eq!(new.schema_version, 2);
        }
    }
}
