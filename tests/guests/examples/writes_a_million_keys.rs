//! Writes a million keys in one call.

polyfold_test_guests::misbehaving!("writes-a-million-keys", |_| {
    for number in 0..1_000_000 {
        polyfold_guest::state::put_bytes(&format!("key/{number}"), b"x");
    }
    Ok(())
});
