//! Writes the bits of floats that are no numbers, which processors and compilers choose each in their own way.

use std::hint::black_box;

polyfold_test_guests::looking!("depends-on-nan-bits", |events| {
    let own = f64::from_bits(0x7ff8_dead_beef_0000 + events[0].schema_version as u64);
    let [zero, one, infinity] = [0.0_f64, 1.0, f64::INFINITY].map(black_box);
    let made =
        [zero / zero, infinity - infinity, infinity * zero, (-one).sqrt(), own + one, -own * one, own.min(one / zero)];
    let narrow = [(own as f32 + 1.0_f32).to_bits(), (black_box(0.0_f32) / black_box(0.0)).to_bits()];
    made.iter().map(|float| float.to_bits()).chain(narrow.map(u64::from)).collect()
});
