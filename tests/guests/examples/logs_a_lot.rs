//! Logs more messages than allowed, and longer ones, on a bad event.

polyfold_test_guests::misbehaving!("logs-a-lot", |event| {
    for number in 0..150 {
        polyfold_guest::info!("message {number} about sequence {}: {}", event.sequence, "x".repeat(5000));
    }
    Ok(())
});
