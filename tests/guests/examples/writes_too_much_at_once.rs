//! Writes 128 values of the largest size in one call, over each other, which is more than a call may write.

polyfold_test_guests::misbehaving!("writes-too-much-at-once", |_| {
    let value = vec![7; 1 << 20];
    for _ in 0..128 {
        polyfold_guest::state::put_bytes("large", &value);
    }
    Ok(())
});
