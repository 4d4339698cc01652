//! Writes where functions, constants and the stack lie, which the compiler decided and nobody else.

static HERE: u8 = 1;

polyfold_test_guests::looking!("depends-on-code-addresses", |_| {
    let look: fn(u64) -> bool = polyfold_test_guests::is_even;
    let on_stack = 1_u8;
    let addresses =
        [(&raw const HERE).addr(), (look as *const ()).addr(), std::hint::black_box(&raw const on_stack).addr()];
    addresses.map(|address| address as u64).to_vec()
});
