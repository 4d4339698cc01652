//! Writes the order in which a hash map gives its keys; each map of a call has another.

use std::collections::HashSet;

polyfold_test_guests::looking!("depends-on-map-order", |_| (0..32).collect::<HashSet<u64>>().into_iter().collect());
