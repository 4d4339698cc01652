//! Changes, adds and removes entries, and traps: nothing of it may be left.

use polyfold_guest::state;

polyfold_test_guests::misbehaving!("traps-after-writing", |_| {
    state::put("type/order.placed", &1_000_000)?;
    state::put("left/behind", &1)?;
    state::delete("type/order.paid");
    panic!("half of it is written")
});
