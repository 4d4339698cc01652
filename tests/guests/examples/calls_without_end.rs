//! Asks for a key that is not there, without end: it leaves all its work to the host.

polyfold_test_guests::misbehaving!("calls-without-end", |_| {
    loop {
        std::hint::black_box(polyfold_guest::state::get_bytes("nothing"));
    }
});
