//! The two traits a plugin implements, and the way from them to the component's exports.

use crate::bindings::projection::exports::polyfold::plugin::projection as wit;
use crate::bindings::upcaster::exports::polyfold::plugin::upcaster as wit_upcaster;
use crate::{Error, Event, Manifest, Payload, UpcasterManifest};
use std::marker::PhantomData;

/// A fold of events into state.
///
/// Its functions are static: each call runs in an instance made for it, so there is nothing to keep in between.
/// Most projections are easier written as a [`KeyedFold`](crate::KeyedFold).
pub trait Projection {
    /// Says what this plugin is; must always answer the same.
    fn describe() -> Manifest;

    /// Folds events, in order of sequence, into [`state`](crate::state). The result must not depend on how many
    /// events come in one call. An error drops all changes of the call.
    fn apply(events: &[Event]) -> Result<(), Error>;
}

/// Functions from an old event's payload to a newer shape.
pub trait Upcaster {
    /// Says what this plugin is; must always answer the same.
    fn describe() -> UpcasterManifest;

    /// Returns the payload that lifts this event one step. Its type and schema version tell which step.
    fn upcast(event: &Event) -> Result<Payload, Error>;
}

/// What the generated exports call.
#[derive(Debug)]
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Projection> wit::Guest for Exported<T> {
    fn describe() -> wit::Manifest {
        T::describe().0
    }

    fn apply(events: Vec<Event>) -> Result<(), String> {
        let result = T::apply(&events);
        // The instance ends with this call: giving its memory back piece by piece would only cost time.
        std::mem::forget(events);
        Ok(result?)
    }
}

impl<T: Upcaster> wit_upcaster::Guest for Exported<T> {
    fn describe() -> wit_upcaster::Manifest {
        T::describe().0
    }

    fn upcast(events: Vec<Event>) -> Result<Vec<Payload>, String> {
        let payloads = events.iter().map(T::upcast).collect::<Result<_, _>>();
        std::mem::forget(events);
        Ok(payloads?)
    }
}

/// Makes a type that is a [`Projection`] the one that this component exports. A [`KeyedFold`](crate::KeyedFold) is
/// exported as `Keyed<MyFold>`.
#[macro_export]
macro_rules! export_projection {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = $crate::__private::Exported<$plugin>;
    $crate::__private::export_projection_world!(Plugin with_types_in $crate::__private::projection);
        };
        // Natively there is nothing to export, but the type is checked all the same.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn is_projection<T: $crate::Projection>() {}
            is_projection::<$plugin>();
        };
    };
}

/// Makes a type that is an [`Upcaster`] the one that this component exports.
#[macro_export]
macro_rules! export_upcaster {
    ($plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = $crate::__private::Exported<$plugin>;
    $crate::__private::export_upcaster_world!(Plugin with_types_in $crate::__private::upcaster);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn is_upcaster<T: $crate::Upcaster>() {}
            is_upcaster::<$plugin>();
        };
    };
}
