//! Writes to all the memory that it can get, so that the machine has to give it.

polyfold_test_guests::misbehaving!("fills-memory", |_| {
    loop {
        std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
});
