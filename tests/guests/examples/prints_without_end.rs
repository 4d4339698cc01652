//! Prints without end.

use std::io::Write;

polyfold_test_guests::misbehaving!("prints-without-end", |_| {
    let line = [b'x'; 4096];
    loop {
        let _ = std::io::stdout().write_all(&line);
    }
});
