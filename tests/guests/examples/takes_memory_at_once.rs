//! Asks for 4 GiB of memory at once, and traps when it does not get them.

use polyfold_test_guests::grow_memory;

polyfold_test_guests::misbehaving!("takes-memory-at-once", |_| {
    assert!(grow_memory(60_000), "there is not so much memory");
    Ok(())
});
