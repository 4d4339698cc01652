//! The conformance upcaster in Rust: see ../../README.md, the specification that it decides.

use polyfold_guest::{Error, Event, Fields, Payload, Upcaster, UpcasterManifest, bail, export_upcaster};
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct ConformanceV2;

export_upcaster!(ConformanceV2);

impl Upcaster for ConformanceV2 {
    fn describe() -> UpcasterManifest {
        UpcasterManifest::new("conformance-v2", env!("CARGO_PKG_VERSION"), "what every language must lift alike")
            .step("sample", 1)
            .step("sample", 2)
            .renaming_step("specimen", 1, "sample")
    }

    fn upcast(event: &Event) -> Result<Payload, Error> {
        let mut fields = Fields::of(event)?;
        if let Some(message) = fields.take_if_present::<String>("fail")? {
            bail!("{message}");
        }
        match (event.event_type.as_str(), event.schema_version) {
            ("sample", 1) => lift(&mut fields)?,
            ("specimen", 1) => {
                lift(&mut fields)?;
                fields.put("was", "specimen")?;
            }
            ("sample", 2) => {
                fields.put("lifted", &2)?;
                if let Some(text) = fields.take_if_present::<String>("text")? {
                    fields.put("texts", &[text])?;
                }
            }
            _ => return Err(event.fault("there is no step from here")),
        }
        Ok(fields.into_payload())
    }
}

fn lift(fields: &mut Fields<'_>) -> Result<(), Error> {
    fields.put("lifted", &1)?;
    fields.rename("int", "integer");
    if let Some(float) = fields.take_if_present::<f64>("float")? {
        fields.put("measure", &BTreeMap::from([("value", float)]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyfold_guest::cbor::{self, Value};
    use polyfold_guest::testing::Harness;

    fn sample(event_type: &str, fields: Vec<(Value, Value)>) -> Event {
        Event {
            sequence: 0,
            stream: "test/1".into(),
            version: 0,
            event_type: event_type.into(),
            schema_version: 1,
            recorded_at: 0,
            payload: Payload::cbor(&Value::Map(fields)).unwrap(),
        }
    }

    fn check(event: Event, expected: Vec<(Value, Value)>) {
        let lifted = Harness::<ConformanceV2>::new().upcast(event).unwrap();
        assert_eq!((lifted.event_type.as_str(), lifted.schema_version), ("sample", 3));
        assert_eq!(lifted.payload, Payload::cbor(&Value::Map(expected)).unwrap());
    }

    fn others() -> Vec<(Value, Value)> {
        vec![
            ("u64".into(), u64::MAX.into()),
            ("nan".into(), f64::NAN.into()),
            ("bytes".into(), Value::Bytes(vec![0xff, 0])),
            ("tagged".into(), Value::Tag(1000, Box::new(Value::Map(vec![])))),
        ]
    }

    #[test]
    fn a_sample_goes_through_both_steps_and_other_fields_stay() {
        let named = vec![("int".into(), i64::MIN.into()), ("float".into(), (-0.0).into()), ("text".into(), "𝄞".into())];
        let lifted = vec![
            ("lifted".into(), 2.into()),
            ("integer".into(), i64::MIN.into()),
            ("measure".into(), Value::Map(vec![("value".into(), (-0.0).into())])),
            ("texts".into(), vec!["𝄞".into()].into()),
        ];
        check(sample("sample", [named, others()].concat()), [lifted, others()].concat());
    }

    #[test]
    fn a_specimen_becomes_a_sample_that_says_so() {
        let lifted = vec![("lifted".into(), 2.into()), ("was".into(), "specimen".into())];
        check(sample("specimen", others()), [lifted, others()].concat());
    }

    #[test]
    fn the_text_of_a_failure_is_the_whole_message() {
        for version in [1, 2] {
            let event = sample("sample", vec![("fail".into(), "no: {} %s".into())]).at_schema_version(version);
            let error = Harness::<ConformanceV2>::new().upcast(event).unwrap_err();
            assert_eq!(error.to_string(), "no: {} %s");
        }
    }

    #[test]
    fn the_answer_is_canonical() {
        let event = sample("specimen", [vec![("float".into(), 1.5.into())], others()].concat());
        let Payload::Cbor(bytes) = Harness::<ConformanceV2>::new().upcast(event).unwrap().payload else { panic!() };
        assert_eq!(cbor::to_vec(&cbor::from_slice::<Value>(&bytes).unwrap()).unwrap(), bytes);
    }
}
