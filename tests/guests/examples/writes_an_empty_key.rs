//! Writes under a key that has no byte.

polyfold_test_guests::misbehaving!("writes-an-empty-key", |_| polyfold_guest::state::put("", &1));
