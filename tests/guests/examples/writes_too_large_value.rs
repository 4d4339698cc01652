//! Writes a value of one byte more than allowed on a bad event.

polyfold_test_guests::misbehaving!("writes-too-large-value", |_| {
    polyfold_guest::state::put_bytes("large", &vec![0; 1024 * 1024 + 1]);
    Ok(())
});
