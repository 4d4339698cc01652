//! Messages for the plugin's author, kept with a fault: `debug!`, `info!`, `warn!` and the others.

#[cfg(target_arch = "wasm32")]
use crate::bindings::projection::polyfold::plugin::logging as imports;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::imports;

pub use crate::bindings::projection::polyfold::plugin::logging::Level;
pub use crate::{debug, error, info, trace, warn};

/// Writes one message; the macros of this module are shorter. What is longer than 4 KiB is cut, and after 100
/// messages in one call the rest is dropped and counted.
pub fn write(level: Level, message: &str) {
    imports::log(level, message);
}

/// Logs a message of level `trace`, made as by `format!`.
#[macro_export]
macro_rules! trace {
    ($($message:tt)*) => {
        $crate::log::write($crate::log::Level::Trace, &::std::format!($($message)*))
    };
}

/// Logs a message of level `debug`, made as by `format!`.
#[macro_export]
macro_rules! debug {
    ($($message:tt)*) => {
        $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)*))
    };
}

/// Logs a message of level `info`, made as by `format!`.
#[macro_export]
macro_rules! info {
    ($($message:tt)*) => {
        $crate::log::write($crate::log::Level::Info, &::std::format!($($message)*))
    };
}

/// Logs a message of level `warn`, made as by `format!`.
#[macro_export]
macro_rules! warn {
    ($($message:tt)*) => {
        $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)*))
    };
}

/// Logs a message of level `error`, made as by `format!`.
#[macro_export]
macro_rules! error {
    ($($message:tt)*) => {
        $crate::log::write($crate::log::Level::Error, &::std::format!($($message)*))
    };
}
