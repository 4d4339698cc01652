//! Ends the program that it runs in, as it thinks.

polyfold_test_guests::misbehaving!("exits", |_| std::process::exit(0));
