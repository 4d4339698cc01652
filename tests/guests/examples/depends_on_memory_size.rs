//! Writes how much memory it has: more where a call brings more events.

polyfold_test_guests::looking!("depends-on-memory-size", |_| vec![polyfold_test_guests::memory_pages()]);
