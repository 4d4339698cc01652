//! Writes what the clocks say: the one stands still, the other counts how often it was read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

polyfold_test_guests::looking!("depends-on-the-clock", |_| {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64);
    // An instant shows its reading in no other way.
    let shown = format!("{:?}", Instant::now());
    let monotonic = shown.bytes().filter(u8::is_ascii_digit).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    vec![wall, monotonic]
});
