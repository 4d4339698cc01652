//! Generated from WIT: the worlds of both kinds of plugin, sharing one set of types.

pub mod projection {
    wit_bindgen::generate!({
        path: "wit",
        world: "projection-plugin",
        pub_export_macro: true,
        export_macro_name: "export_projection_world",
        additional_derives: [PartialEq],
        generate_all,
    });
}

pub mod upcaster {
    wit_bindgen::generate!({
        path: "wit",
        world: "upcaster-plugin",
        pub_export_macro: true,
        export_macro_name: "export_upcaster_world",
        additional_derives: [PartialEq],
        with: {
            "polyfold:plugin/types@0.1.0": crate::bindings::projection::polyfold::plugin::types,
            "polyfold:plugin/logging@0.1.0": crate::bindings::projection::polyfold::plugin::logging,
        },
    });
}
