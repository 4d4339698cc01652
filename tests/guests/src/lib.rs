//! Nothing: each guest is an example of its own.
