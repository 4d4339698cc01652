//! Logs without end: all but the first hundred messages are only counted, and cost it as much.

polyfold_test_guests::misbehaving!("logs-without-end", |_| {
    let message = "again and again ".repeat(1_000);
    loop {
        polyfold_guest::log::write(polyfold_guest::log::Level::Info, &message);
    }
});
