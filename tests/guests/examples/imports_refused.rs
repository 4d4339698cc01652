//! Imports an interface that no host offers: it cannot be installed.

mod outside {
    wit_bindgen::generate!({
        inline: "
            package test:outside@0.1.0;

            interface network {
                fetch: func(url: string) -> string;
            }

            world outside {
                import network;
            }
        ",
    });
}

polyfold_test_guests::misbehaving!("imports-refused", |event| {
    polyfold_guest::state::put("fetched", &outside::test::outside::network::fetch(&event.stream))
});
