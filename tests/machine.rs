//! The machine fails: its disk, its clock, its bits, and who else is at work in the directory. See
//! host/docs/faults-of-the-machine.md.

mod clock;
mod disk;
mod flips;
mod locks;
mod origin;
mod repair;
mod serving;
pub(crate) mod shim;
