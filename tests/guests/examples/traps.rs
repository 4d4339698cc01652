//! Panics on a bad event, with a message that the host should show.

polyfold_test_guests::misbehaving!("traps", |event| panic!("no way to go on at sequence {}", event.sequence));
