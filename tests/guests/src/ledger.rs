//! A ledger in two versions: what upgrades are tested with.

use polyfold_guest::{Error, Event, state};
use serde::Deserialize;

#[derive(Deserialize)]
struct Booking {
    amount: u64,
}

/// Adds each event's amount to its stream's balance and to the total. What is at least `doubles_from` counts twice, and
/// `refused` is an error.
pub fn book(events: &[Event], doubles_from: u64, refused: Option<u64>) -> Result<(), Error> {
    for event in events {
        let Booking { amount } = event.payload()?;
        if refused == Some(amount) {
            return Err(event.fault("this amount is refused"));
        }
        let amount = if amount >= doubles_from { 2 * amount } else { amount };
        for key in [format!("balance/{}", event.stream), "total".to_owned()] {
            let balance: u64 = state::get(&key)?.unwrap_or(0);
            state::put(&key, &(balance + amount))?;
        }
    }
    Ok(())
}
