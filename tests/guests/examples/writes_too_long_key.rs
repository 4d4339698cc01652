//! Writes a key of one byte more than allowed on a bad event.

polyfold_test_guests::misbehaving!("writes-too-long-key", |_| { polyfold_guest::state::put(&"k".repeat(1025), &1) });
