//! What the host's work for a plugin costs in fuel: a schedule of prices, each with its reason.
//!
//! A unit of fuel is about an instruction, and about a nanosecond. A price follows from what is asked and answered alone,
//! never from the time it took, so that fuel is the same on every machine; it is set so that a plugin that does nothing
//! but call the host uses up its fuel before its time. What the prices are is part of a projection's identity.

/// Which prices hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prices {
    /// The host's work costs nothing: for deployments from before there were prices.
    None,
    /// The first schedule.
    #[default]
    V1,
}

/// What each kind of work costs, in fuel.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Any call of an imported function, on top of all below: leaving the plugin, and coming back.
    pub(super) call: u64,
    /// Looking up a key of the state, or an event's envelope.
    pub(super) look_up: u64,
    /// Putting or deleting a key of the state.
    pub(super) change: u64,
    /// An entry that a scan returns.
    pub(super) entry: u64,
    /// A WASI call on a stream or a pollable, and each further pollable of a list: they go through an executor.
    pub(super) stream: u64,
    /// Asking for more memory or a longer table, granted or not.
    pub(super) grow: u64,
    /// An event handed in, or a payload handed back by an upcaster.
    pub(super) event: u64,
    /// A byte in or out: of keys, values, prefixes, log messages, output, random numbers, parameters, error messages, and
    /// of what an event is handed in with.
    pub(super) byte: u64,
    /// A byte that is brought into another form: of an envelope (counted as stored), of a payload made JSON for a plugin
    /// that wants it (counted as stored), or made canonical after an upcaster (counted as returned).
    pub(super) converted_byte: u64,
}

const FREE: Schedule =
    Schedule { call: 0, look_up: 0, change: 0, entry: 0, stream: 0, grow: 0, event: 0, byte: 0, converted_byte: 0 };

const V1: Schedule = Schedule {
    call: 300,
    look_up: 1_000,
    change: 1_000,
    entry: 300,
    stream: 3_000,
    grow: 1_000,
    event: 200,
    byte: 1,
    converted_byte: 10,
};

impl Prices {
    /// The number that stands for them in an identity; none where an identity does not mention prices.
    pub fn number(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::V1 => Some(1),
        }
    }

    /// The schedule of that number, if this version has it.
    pub fn numbered(number: u64) -> Option<Self> {
        (number == 1).then_some(Self::V1)
    }

    pub(super) fn schedule(self) -> &'static Schedule {
        match self {
            Self::None => &FREE,
            Self::V1 => &V1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_known_by_its_number() {
        for prices in [Prices::None, Prices::V1] {
            assert_eq!(prices.number().map_or(Some(Prices::None), Prices::numbered), Some(prices));
        }
        assert_eq!((Prices::numbered(0), Prices::numbered(2)), (None, None));
    }
}
