//! Why a plugin gives up on an event.

/// An error with a message for the owner of the projection.
///
/// Anything that is a [`std::error::Error`] becomes one by `?`; [`bail!`](crate::bail) makes one from a format string.
/// The event that an error is about becomes the projection's fault, and the message is shown with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// Makes an error from its message: lower case, no full stop, naming the thing and the way out.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// `Error` is no `std::error::Error` itself, so that this one covers all of them.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.0
    }
}

/// Returns early with an [`Error`] made from a format string.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::core::result::Result::Err($crate::Error::new(::std::format!($($message)*)))
    };
}
