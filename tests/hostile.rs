//! The corpus of hostile plugins: what each tries, and what becomes of it, of its host and of its neighbours.
//!
//! Each case runs in a host of its own, beside a projection that does its work ([`run`]), and what is left is looked at to
//! the last entry. The same cases are the rows of host/docs/hostile-plugins.md.

mod answers;
mod binary;
mod bombs;
mod bounds;
mod case;
mod claims;
mod cuts;
mod endless;
mod limits;
mod memory;
mod noise;
mod run;
mod surroundings;
mod table;
mod wat;
