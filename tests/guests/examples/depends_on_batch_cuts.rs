//! Writes with how many others each event came.

polyfold_test_guests::looking!("depends-on-batch-cuts", |events| vec![events.len() as u64]);
