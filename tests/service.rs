//! The host as a service: its doors, its limits, its end, and its API under load.

mod access;
mod appending;
pub(crate) mod client;
mod following;
mod limits;
mod metrics;
pub(crate) mod server;
mod stopping;
mod upgrading;
