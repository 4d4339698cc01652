//! Writes where in memory something new lies: behind what came before it in the call.

polyfold_test_guests::looking!("depends-on-addresses", |_| {
    let new = Box::leak(Box::new([0_u8; 64]));
    vec![std::hint::black_box(new).as_ptr().addr() as u64]
});
