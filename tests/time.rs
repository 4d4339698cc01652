//! States over time: as they were behind any event, by what was recorded and by what had occurred.

mod asked;
mod history;
mod model;
mod past;
mod snapshots;
