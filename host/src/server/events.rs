//! `/events` and `/streams`: appending, reading and following.

pub(super) mod append;
mod cloudevents;
pub(super) mod read;
pub(super) mod schema;
mod select;
pub(super) mod stream;
