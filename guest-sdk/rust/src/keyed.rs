//! Keyed fold: an event names keys, and is folded into the value of each.

mod table;

use crate::state::{self, Change};
use crate::{Error, Event, Manifest, Projection};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use table::Table;

/// A projection whose events each belong to some keys and are folded into the values of these.
///
/// Export it as `export_projection!(Keyed<MyFold>)`. A batch is folded in memory: one host call reads the values of all
/// its keys, one writes those that changed. The result does not depend on where batches are cut, as long as a value
/// that is written and read again is the same value: leave nothing out by `#[serde(skip)]`.
pub trait KeyedFold {
    /// What is read from an event's payload; text may be borrowed (`&'a str`). [`Ignored`](crate::Ignored) for nothing.
    type Payload<'a>: Deserialize<'a>;

    /// What is kept for a key. A key's first event is folded into the default.
    type Value: Default + Serialize + DeserializeOwned;

    /// Says what this plugin is; must always answer the same.
    fn describe() -> Manifest;

    /// Names the keys that the event belongs to: none, one or more.
    fn keys(event: &Event, payload: &Self::Payload<'_>, keys: &mut Keys) -> Result<(), Error>;

    /// Folds the event into the value of one of its keys.
    fn fold(value: &mut Self::Value, event: &Event, payload: &Self::Payload<'_>, key: &str) -> Result<(), Error>;

    /// Reads an event's payload.
    #[inline]
    fn payload(event: &Event) -> Result<Self::Payload<'_>, Error> {
        event.payload()
    }

    /// Says whether a value is worth an entry; where it is not, the key has none, and starts from the default again.
    #[inline]
    fn keep(_value: &Self::Value) -> bool {
        true
    }
}

/// The keys of one event, collected without an allocation for each.
#[derive(Debug, Default)]
pub struct Keys {
    text: String,
    ends: Vec<usize>,
}

impl Keys {
    /// Adds a key.
    #[inline]
    pub fn push(&mut self, key: &str) {
        self.push_parts([key]);
    }

    /// Adds the key that these parts make, one behind the other.
    #[inline]
    pub fn push_parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a str>) {
        for part in parts {
            self.text.push_str(part);
        }
        self.ends.push(self.text.len());
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

/// The projection that a [`KeyedFold`] makes.
#[derive(Debug)]
pub struct Keyed<F>(PhantomData<F>);

impl<F: KeyedFold> Projection for Keyed<F> {
    fn describe() -> Manifest {
        F::describe()
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        let mut batch = Batch::<F>::gather(events)?;
        let stored = state::get_many_bytes(&batch.table.keys);
        let values = batch.fold(events, &stored)?;
        state::write(&changes::<F>(batch.table.keys, &stored, &values)?);
        // The instance ends with this call: giving its memory back piece by piece would only cost time.
        std::mem::forget((stored, values));
        Ok(())
    }
}

/// A batch's payloads and keys.
struct Batch<'a, F: KeyedFold> {
    /// The batch's distinct keys, in the order in which they first come.
    table: Table,
    payloads: Vec<F::Payload<'a>>,
    /// The keys of all events, one event's behind another's, as places in the table.
    places: Vec<u32>,
    /// Where each event's keys end in `places`.
    ends: Vec<u32>,
}

impl<'a, F: KeyedFold> Batch<'a, F> {
    fn gather(events: &'a [Event]) -> Result<Self, Error> {
        let mut batch = Self {
            table: Table::default(),
            payloads: Vec::with_capacity(events.len()),
            places: Vec::with_capacity(events.len()),
            ends: Vec::with_capacity(events.len()),
        };
        let mut keys = Keys::default();
        for event in events {
            let payload = F::payload(event)?;
            keys.clear();
            F::keys(event, &payload, &mut keys)?;
            for key in keys.iter() {
                batch.places.push(batch.table.place(key));
            }
            batch.payloads.push(payload);
            batch.ends.push(batch.places.len() as u32);
        }
        Ok(batch)
    }

    /// Returns the values of the table's keys after all events.
    fn fold(&mut self, events: &[Event], stored: &[Option<Vec<u8>>]) -> Result<Vec<F::Value>, Error> {
        let mut values = Vec::with_capacity(stored.len());
        for (key, bytes) in self.table.keys.iter().zip(stored) {
            values.push(match bytes {
                Some(bytes) => state::read(key, bytes)?,
                None => F::Value::default(),
            });
        }
        let mut start = 0;
        for ((event, payload), end) in events.iter().zip(&self.payloads).zip(&self.ends) {
            for place in &self.places[start..*end as usize] {
                let value = &mut values[*place as usize];
                F::fold(value, event, payload, &self.table.keys[*place as usize])?;
                // If the batch ended here the entry would be deleted, so what follows must start afresh, too.
                if !F::keep(value) {
                    *value = F::Value::default();
                }
            }
            start = *end as usize;
        }
        Ok(values)
    }
}

/// Lists what differs from the state.
fn changes<F: KeyedFold>(
    keys: Vec<String>,
    stored: &[Option<Vec<u8>>],
    values: &[F::Value],
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::with_capacity(keys.len());
    for ((key, old), value) in keys.into_iter().zip(stored).zip(values) {
        let new = if F::keep(value) { Some(state::to_bytes(&key, value)?) } else { None };
        if new != *old {
            changes.push(Change { key, value: new });
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Harness, event};
    use serde_json::json;

    /// Balances: `paid` moves an amount between two accounts; an account at zero has no entry.
    struct Balances;

    #[derive(Deserialize)]
    struct Paid<'a> {
        from: &'a str,
        to: &'a str,
        amount: i64,
    }

    #[derive(Default, Serialize, Deserialize, PartialEq, Debug)]
    struct Balance {
        amount: i64,
        payments: u64,
    }

    impl KeyedFold for Balances {
        type Payload<'a> = Paid<'a>;
        type Value = Balance;

        fn describe() -> Manifest {
            Manifest::new("balances", "1.0.0", "what each account holds")
        }

        fn keys(_: &Event, paid: &Paid<'_>, keys: &mut Keys) -> Result<(), Error> {
            keys.push_parts(["account/", paid.from]);
            keys.push_parts(["account/", paid.to]);
            Ok(())
        }

        fn fold(balance: &mut Balance, _: &Event, paid: &Paid<'_>, key: &str) -> Result<(), Error> {
            let sign = if key.ends_with(paid.from) { -1 } else { 1 };
            balance.amount += sign * paid.amount;
            balance.payments += 1;
            Ok(())
        }

        fn keep(balance: &Balance) -> bool {
            balance.amount != 0
        }
    }

    fn payments() -> Vec<Event> {
        let names = ["ann", "bob", "cid", "dan"];
        let paid = |i: usize| json!({"from": names[i % 3], "to": names[(i * 7 + 1) % 4], "amount": i % 5});
        (0..200).map(|i| event("paid", paid(i))).collect()
    }

    #[test]
    fn where_batches_are_cut_does_not_matter() {
        let whole = {
            let mut harness = Harness::<Keyed<Balances>>::new();
            harness.apply(payments()).unwrap();
            harness
        };
        for size in [1, 2, 3, 7, 199] {
            let mut cut = Harness::<Keyed<Balances>>::new().batches_of(size);
            cut.apply(payments()).unwrap();
            assert_eq!(cut.entries(), whole.entries(), "batches of {size}");
        }
    }

    #[test]
    fn a_value_not_worth_keeping_has_no_entry_and_starts_afresh() {
        let mut harness = Harness::<Keyed<Balances>>::new();
        let there = event("paid", json!({"from": "ann", "to": "bob", "amount": 5}));
        let back = event("paid", json!({"from": "bob", "to": "ann", "amount": 5}));
        harness.apply([there.clone(), back.clone()]).unwrap();
        assert!(harness.entries().is_empty());
        harness.apply([there]).unwrap();
        assert_eq!(harness.get::<Balance>("account/bob"), Some(Balance { amount: 5, payments: 1 }));
    }

    #[test]
    fn a_batch_with_an_unreadable_event_changes_nothing_and_the_error_says_why() {
        let mut harness = Harness::<Keyed<Balances>>::new();
        let good = event("paid", json!({"from": "ann", "to": "bob", "amount": 5}));
        let bad = event("paid", json!({"from": "ann", "to": "bob", "amount": "5"}));
        let error = harness.apply([good, bad]).unwrap_err();
        let says = "paid, schema version 1: cannot read the payload: field \"amount\": invalid type: string \"5\", expected i64";
        assert_eq!(error.to_string(), says);
        assert!(harness.entries().is_empty());
    }
}
