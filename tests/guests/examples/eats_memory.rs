//! Takes memory on a bad event until there is no more.

polyfold_test_guests::misbehaving!("eats-memory", |_| {
    loop {
        std::mem::forget(std::hint::black_box(vec![1u8; 16 << 20]));
    }
});
