//! Takes memory a page at a time until it gets no more, and traps.

use polyfold_test_guests::grow_memory;

polyfold_test_guests::misbehaving!("takes-memory-by-pages", |_| {
    while grow_memory(1) {}
    panic!("there is no more memory")
});
