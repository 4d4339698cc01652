//! A journal in two versions: what order is tested with.

use polyfold_guest::{Error, Event, state};

/// Writes down each event's sequence, behind those of its stream (`stream/<stream>`) and behind all (`all`). On a bad event
/// `refuses` makes that an error.
pub fn write_down(events: &[Event], refuses: bool) -> Result<(), Error> {
    for event in events {
        if refuses && crate::is_bad(event) {
            return Err(event.fault("this event is refused"));
        }
        for key in [format!("stream/{}", event.stream), "all".to_owned()] {
            let mut sequences: Vec<u64> = state::get(&key)?.unwrap_or_default();
            sequences.push(event.sequence);
            state::put(&key, &sequences)?;
        }
    }
    Ok(())
}
