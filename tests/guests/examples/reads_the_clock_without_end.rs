//! Waits for time to pass, which it never does by itself.

use std::time::{Duration, Instant};

polyfold_test_guests::misbehaving!("reads-the-clock-without-end", |_| {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(100 * 365 * 86_400) {}
    Ok(())
});
