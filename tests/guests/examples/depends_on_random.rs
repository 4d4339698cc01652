//! Writes a random number for each event.

use std::hash::{BuildHasher, RandomState};

polyfold_test_guests::looking!("depends-on-random", |_| vec![RandomState::new().hash_one(0)]);
