//! The first thing in which two states of one identity differ.

use crate::engine::Error;
use crate::event::Sequence;
use crate::state::{Disagreement, Fault, Reader, SetAside};

/// The first thing in which two states differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An entry: its key, and the value in the live state and in the rebuilt one.
    Entry { key: String, live: Option<Vec<u8>>, rebuilt: Option<Vec<u8>> },
    /// The state's entries are not those that its own tree was made from: its file is damaged.
    Damaged(Disagreement),
    /// The rebuilt state could not come as far.
    Stopped { sequence: Sequence, reason: String },
    /// The one failed on an event on which the other did not, or failed otherwise.
    Fault { sequence: Sequence, live: Option<String>, rebuilt: Option<String> },
    /// They have set aside other events of a stream.
    SetAside { stream: String, live: Option<SetAside>, rebuilt: Option<SetAside> },
}

/// Compares two snapshots at one checkpoint: faults, what is set aside, and entries.
pub(super) fn between(live: &Reader, rebuilt: &Reader, target: Sequence) -> Result<Option<Difference>, Error> {
    if let Some(difference) = first_fault(&live.faults()?, &rebuilt.faults()?, target) {
        return Ok(Some(difference));
    }
    match first_set_aside(live, rebuilt)? {
        None => first_entry(live, rebuilt),
        some => Ok(some),
    }
}

fn first_entry(live: &Reader, rebuilt: &Reader) -> Result<Option<Difference>, Error> {
    let (mut live, mut rebuilt) = (live.entries()?, rebuilt.entries()?);
    loop {
        let (live, rebuilt) = (live.next().transpose()?, rebuilt.next().transpose()?);
        if live == rebuilt {
            if live.is_none() {
                return Ok(None);
            }
            continue;
        }
        let keys = [&live, &rebuilt].into_iter().flatten().map(|(key, _)| key.clone());
        let key = keys.min().expect("one of two different options is there");
        let value = |entry: Option<(String, Vec<u8>)>| entry.filter(|(found, _)| *found == key).map(|(_, value)| value);
        return Ok(Some(Difference::Entry { live: value(live), rebuilt: value(rebuilt), key }));
    }
}

fn first_set_aside(live: &Reader, rebuilt: &Reader) -> Result<Option<Difference>, Error> {
    let (live, rebuilt) = (live.set_aside(None, usize::MAX)?, rebuilt.set_aside(None, usize::MAX)?);
    for at in 0..live.len().max(rebuilt.len()) {
        let (live, rebuilt) = (live.get(at), rebuilt.get(at));
        if live == rebuilt {
            continue;
        }
        let stream = [live, rebuilt].into_iter().flatten().map(|(stream, _)| stream.clone()).min();
        let stream = stream.expect("one of two different options is there");
        let of = |row: Option<&(String, SetAside)>| row.filter(|(found, _)| *found == stream).map(|(_, it)| *it);
        return Ok(Some(Difference::SetAside { live: of(live), rebuilt: of(rebuilt), stream }));
    }
    Ok(None)
}

/// Compares the faults up to the checkpoint; that at which a state halted lies behind it.
fn first_fault(live: &[Fault], rebuilt: &[Fault], target: Sequence) -> Option<Difference> {
    let relevant = |faults: &[Fault]| -> Vec<Fault> {
        faults.iter().filter(|fault| fault.sequence <= target.0).cloned().collect()
    };
    let (live, rebuilt) = (relevant(live), relevant(rebuilt));
    for at in 0..live.len().max(rebuilt.len()) {
        let (live, rebuilt) = (live.get(at), rebuilt.get(at));
        let say = |fault: Option<&Fault>| fault.map(|fault| format!("{}: {}", fault.kind, fault.message));
        let same = live.map(|fault| fault.sequence) == rebuilt.map(|fault| fault.sequence) && say(live) == say(rebuilt);
        if !same {
            let sequence = [live, rebuilt].into_iter().flatten().map(|fault| fault.sequence).min();
            let sequence = Sequence(sequence.expect("one of two is there"));
            let at_sequence = |fault: Option<&Fault>| say(fault.filter(|fault| fault.sequence == sequence.0));
            return Some(Difference::Fault { sequence, live: at_sequence(live), rebuilt: at_sequence(rebuilt) });
        }
    }
    None
}
