//! Returns an error for a bad event, as a well-behaved plugin does.

polyfold_test_guests::misbehaving!("returns-error", |event| { Err(event.fault("the payload says that it is bad")) });
