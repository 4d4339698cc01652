//! Writes the longest key with the largest value, reads it back and removes it: what is allowed works.

use polyfold_guest::state;

polyfold_test_guests::misbehaving!("writes-up-to-the-limits", |event| {
    let key = "k".repeat(1_024);
    state::put_bytes(&key, &vec![7; 1 << 20]);
    let found = state::get_bytes(&key).map_or(0, |value| value.len());
    state::delete(&key);
    if found == 1 << 20 { Ok(()) } else { Err(event.fault("the value did not come back")) }
});
