//! What an instance owes for the host's work, and how it is paid: out of the store's fuel, on the way back to the plugin.

use wasmtime::{AsContextMut, CallHook, StoreContextMut, Trap};

use super::Prices;
use super::host::{Host, Stop};
use super::price::Schedule;

/// What is owed.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) prices: &'static Schedule,
    due: u64,
    /// What there was to pay with when the host was called.
    left: u64,
}

impl Bill {
    pub(super) fn new(prices: Prices) -> Self {
        Self { prices: prices.schedule(), due: 0, left: u64::MAX }
    }

    /// Adds what must be paid for in any case.
    pub(super) fn add(&mut self, fuel: u64) {
        self.due = self.due.saturating_add(fuel);
    }

    /// Adds what is done only if there is enough fuel for it: no more work is ever done unpaid than one step.
    pub(super) fn charge(&mut self, fuel: u64) -> Result<(), Stop> {
        self.add(fuel);
        if self.due > self.left { Err(Stop::OutOfFuel) } else { Ok(()) }
    }

    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), Stop> {
        self.charge(self.prices.byte.saturating_mul(bytes as u64))
    }
}

/// Lets whatever the host does for a plugin be paid for, if it has a price.
pub(super) fn keep(store: &mut wasmtime::Store<Host>, prices: Prices) {
    match prices {
        Prices::None => {}
        Prices::V1 => {
            store.call_hook(on_crossing);
        }
    }
}

/// Wasmtime keeps fuel in the store only while a plugin's own functions are left and entered. It also comes by here for
/// its own helpers, memory.grow for one, when the store's fuel is out of date: then nothing is due.
fn on_crossing(mut store: StoreContextMut<'_, Host>, crossing: CallHook) -> wasmtime::Result<()> {
    match crossing {
        CallHook::CallingHost => {
            store.data_mut().bill.left = store.get_fuel()?;
            Ok(())
        }
        // The answer is lowered by functions of the plugin: what is due is paid before they run.
        CallHook::ReturningFromHost | CallHook::CallingWasm => pay_due(&mut store),
        CallHook::ReturningFromWasm => Ok(()),
    }
}

fn pay_due(store: &mut StoreContextMut<'_, Host>) -> wasmtime::Result<()> {
    let host = store.data_mut();
    if host.bill.due == 0 {
        return Ok(());
    }
    let due = std::mem::take(&mut host.bill.due);
    let due = due.saturating_add(host.meter.take_owed()).saturating_add(host.take_wasi_bytes());
    Ok(pay(store, due)?)
}

/// After a call: lets what is still owed be paid, and the answer.
pub(super) fn settle(store: &mut wasmtime::Store<Host>, answer: u64) -> Result<(), Trap> {
    let owed = store.data_mut().meter.take_owed();
    pay(store, answer.saturating_add(owed))
}

/// Takes fuel from a store outside of any call; all that there is, if it is not enough.
pub(super) fn pay(store: &mut impl AsContextMut<Data = Host>, fuel: u64) -> Result<(), Trap> {
    if fuel == 0 {
        return Ok(());
    }
    let mut store = store.as_context_mut();
    let there = store.get_fuel().expect("fuel is switched on");
    let left = there.checked_sub(fuel);
    store.set_fuel(left.unwrap_or(0)).expect("fuel is switched on");
    left.map(drop).ok_or(Trap::OutOfFuel)
}
