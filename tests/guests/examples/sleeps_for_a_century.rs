//! Sleeps for a hundred years: that takes no time, and the event is counted after it.

use std::time::Duration;

polyfold_test_guests::misbehaving!("sleeps-for-a-century", |_| {
    std::thread::sleep(Duration::from_secs(100 * 365 * 86_400));
    Ok(())
});
