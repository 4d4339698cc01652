//! Calls itself on a bad event, more often than any stack can hold.

polyfold_test_guests::misbehaving!("overflows-stack", |event| {
    std::hint::black_box(deep(event.sequence));
    Ok(())
});

/// Not a loop in disguise: each level works on the result of the one below. It keeps nothing in memory, so that the
/// host's stack ends before the guest's own.
fn deep(level: u64) -> u64 {
    if level == u64::MAX { 0 } else { level ^ deep(level + 1).rotate_left(7) }
}
