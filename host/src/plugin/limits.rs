//! What one call of a plugin may use.

use std::time::Duration;

use super::Prices;

/// What one call of a plugin may use; the call of a batch has no more than that of a single event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one event, and so for a whole batch; about one WebAssembly instruction each.
    pub fuel_per_event: u64,
    /// All linear memories of an instance together.
    pub memory_bytes: usize,
    /// A key of the state.
    pub key_bytes: usize,
    /// A value of the state.
    pub value_bytes: usize,
    /// All keys and values that one call writes, overwritten ones included.
    pub change_bytes: usize,
    /// All keys and values that one host call returns.
    pub answer_bytes: usize,
    /// The entries of one scan.
    pub scan_page: usize,
    /// A scan's page ends early with the entry that reaches this size.
    pub scan_bytes: usize,
    /// A log message; what is longer is cut.
    pub log_message_bytes: usize,
    /// The log messages of one call; further ones are counted.
    pub log_messages: usize,
    /// Standard output and standard error, each; the rest is counted.
    pub output_bytes: usize,
    /// What the host's work for a plugin costs of that fuel.
    pub host_call_prices: Prices,
    /// The wall time of one call. Not reproducible, so it never decides what a state holds.
    pub deadline: Duration,
}

/// The name of the schedule of prices among the limits.
pub const HOST_CALL_PRICES: &str = "host-call-prices";

impl Limits {
    /// A thousand times what an event costs a JavaScript engine, and about a second of native code.
    pub const FUEL_PER_EVENT: u64 = 1_000_000_000;
    /// 256 MiB: Python and JavaScript start with 10 to 30 MiB, and a batch brings 4 MiB.
    pub const MEMORY_BYTES: usize = 256 << 20;
    /// 1 KiB: a key is compared at every step down a tree.
    pub const KEY_BYTES: usize = 1 << 10;
    /// 1 MiB, as an event's payload: what is larger wants several keys.
    pub const VALUE_BYTES: usize = 1 << 20;
    /// 128 MiB: they wait in the host's memory until the batch commits. 8,192 events may write 16 KiB each.
    pub const CHANGE_BYTES: usize = 128 << 20;
    /// 64 MiB: the host holds it beside the instance's copy.
    pub const ANSWER_BYTES: usize = 64 << 20;
    /// 1,000 entries: a host call's cost is gone at 100, and small entries stay below 1 MiB together.
    pub const SCAN_PAGE: usize = 1_000;
    /// 4 MiB, as a batch: a page of large values must not fill a plugin's memory.
    pub const SCAN_BYTES: usize = 4 << 20;
    /// 4 KiB: a message with a stack trace.
    pub const LOG_MESSAGE_BYTES: usize = 4 << 10;
    /// 100: enough to follow one event, too few to fill a log.
    pub const LOG_MESSAGES: usize = 100;
    /// 64 KiB: Python's longest tracebacks have some 10.
    pub const OUTPUT_BYTES: usize = 64 << 10;
    /// 10 seconds: ten times what the fuel takes. It only stops what fuel does not see: a machine that is slow or busy,
    /// and what the host did for a plugin where that has no price.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// The limits that decide what a state holds, by name and in a fixed order: a part of a projection's identity.
    ///
    /// Neither the deadline is among them nor what only cuts messages.
    pub fn describe_identity(&self) -> Vec<(&'static str, u64)> {
        let mut named = vec![
            ("fuel-per-event", self.fuel_per_event),
            ("memory-bytes", self.memory_bytes as u64),
            ("key-bytes", self.key_bytes as u64),
            ("value-bytes", self.value_bytes as u64),
            ("change-bytes", self.change_bytes as u64),
            ("answer-bytes", self.answer_bytes as u64),
            ("scan-page", self.scan_page as u64),
            ("scan-bytes", self.scan_bytes as u64),
        ];
        // Deployments from before there were prices keep their identity.
        named.extend(self.host_call_prices.number().map(|number| (HOST_CALL_PRICES, number)));
        named
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_per_event: Self::FUEL_PER_EVENT,
            memory_bytes: Self::MEMORY_BYTES,
            key_bytes: Self::KEY_BYTES,
            value_bytes: Self::VALUE_BYTES,
            change_bytes: Self::CHANGE_BYTES,
            answer_bytes: Self::ANSWER_BYTES,
            scan_page: Self::SCAN_PAGE,
            scan_bytes: Self::SCAN_BYTES,
            log_message_bytes: Self::LOG_MESSAGE_BYTES,
            log_messages: Self::LOG_MESSAGES,
            output_bytes: Self::OUTPUT_BYTES,
            host_call_prices: Prices::default(),
            deadline: Self::DEADLINE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_decides_a_state_is_part_of_the_identity() {
        let limits = Limits::default();
        let quiet = Limits { log_messages: 0, output_bytes: 0, deadline: Duration::from_secs(1), ..limits.clone() };
        assert_eq!(limits.describe_identity(), quiet.describe_identity());
        let poorer = Limits { fuel_per_event: 1, ..limits.clone() };
        assert_ne!(limits.describe_identity(), poorer.describe_identity());
        let free = Limits { host_call_prices: Prices::None, ..limits.clone() };
        let named =
            |limits: &Limits| limits.describe_identity().into_iter().find(|(name, _)| *name == HOST_CALL_PRICES);
        assert_eq!((named(&limits), named(&free)), (Some((HOST_CALL_PRICES, 1)), None));
    }
}
