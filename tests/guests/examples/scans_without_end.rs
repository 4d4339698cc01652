//! Reads the state from its first key on, without end.

polyfold_test_guests::misbehaving!("scans-without-end", |_| {
    loop {
        std::hint::black_box(polyfold_guest::state::scan_bytes("", None, u32::MAX));
    }
});
