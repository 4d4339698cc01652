//! Never comes back from a bad event: only fuel or a deadline ends it.

polyfold_test_guests::misbehaving!("loops-in-apply", |event| {
    loop {
        std::hint::black_box(event);
    }
});
