//! Takes memory on a bad event until there is no more. It does not write to it, which would use up its fuel first.

polyfold_test_guests::misbehaving!("eats-memory", |_| {
    loop {
        std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(16 << 20)));
    }
});
