//! Counts what an instance takes of the host's memory, and refuses what goes beyond.

use wasmtime::ResourceLimiter;

use super::Limits;
use super::host::Stop;

/// The limiter of one instance.
#[derive(Debug)]
pub(super) struct Meter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    table_elements: usize,
    refused: bool,
    /// What each growth costs, and what all of them have cost in this instance.
    price: u64,
    charged: u64,
    /// What of it is not paid yet: wasmtime's store has no up-to-date fuel while it grows something.
    owed: u64,
    fuel_max: u64,
}

/// 262,144 elements, 2 MiB of host memory: a table has an element for each function whose address is taken, some
/// 10,000 in an interpreter. Wider use than that is no table but a way around the memory limit.
const TABLE_ELEMENTS_MAX: usize = 1 << 18;

/// 256: a component is linked from several modules, a dozen for Python with its libraries, plus small adapters.
const INSTANCES_MAX: usize = 256;

/// 256: no module that a compiler makes has more than two, so as many as instances is generous.
const TABLES_MAX: usize = 256;

/// 64: each memory reserves 4 GiB of address space, and modules linked together share one.
const MEMORIES_MAX: usize = 64;

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes,
            memory_bytes: 0,
            table_elements: 0,
            refused: false,
            price: limits.host_call_prices.schedule().grow,
            charged: 0,
            owed: 0,
            fuel_max: limits.fuel_per_event,
        }
    }

    /// What growing has cost since the last time.
    pub(super) fn take_owed(&mut self) -> u64 {
        std::mem::take(&mut self.owed)
    }

    /// Charges for growing something that was there: what an instance starts with comes with it.
    fn charge(&mut self, current: usize) -> Result<(), Stop> {
        if current == 0 {
            return Ok(());
        }
        self.owed = self.owed.saturating_add(self.price);
        self.charged = self.charged.saturating_add(self.price);
        if self.charged > self.fuel_max { Err(Stop::OutOfFuel) } else { Ok(()) }
    }

    /// All memories together; memories never shrink, so it is also the peak.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether the instance was denied memory: then a trap is most likely its answer to that.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    /// Adds to a sum unless it would pass the maximum, and notes what was refused.
    fn grow(&mut self, sum: usize, grown: usize, max: usize) -> Option<usize> {
        let grown = sum.checked_add(grown).filter(|bytes| *bytes <= max);
        self.refused |= grown.is_none();
        grown
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.charge(current)?;
        // Beyond the plugin's own maximum: its own doing, not ours.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = self.grow(self.memory_bytes, desired.saturating_sub(current), self.memory_bytes_max);
        self.memory_bytes = grown.unwrap_or(self.memory_bytes);
        Ok(grown.is_some())
    }

    /// Called for what [`Self::memory_growing`] allowed and the machine could not give, and for sizes that the
    /// memory's type cannot have.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // The second is as reproducible as an answer can be. The first must not reach the plugin: its answer to a
        // machine short of memory would be taken for a verdict on the event.
        if error.to_string() == "memory growth exceeds memory type's limits" {
            return Ok(());
        }
        Err(Stop::Host(format!("no memory for the plugin: {error}")).into())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.charge(current)?;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = self.grow(self.table_elements, desired.saturating_sub(current), TABLE_ELEMENTS_MAX);
        self.table_elements = grown.unwrap_or(self.table_elements);
        Ok(grown.is_some())
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if error.to_string() == "overflow calculating new table size" {
            return Ok(());
        }
        Err(Stop::Host(format!("no memory for a table of the plugin: {error}")).into())
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(&Limits { memory_bytes: 100, ..Limits::default() })
    }

    #[test]
    fn all_memories_share_one_limit() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.memory_growing(0, 40, None).unwrap());
        assert!(!meter.refused());
        assert!(!meter.memory_growing(60, 61, None).unwrap());
        assert!(meter.refused());
        assert_eq!(meter.memory_bytes(), 100);
    }

    #[test]
    fn a_plugins_own_maximum_is_no_refusal() {
        let mut meter = meter();
        assert!(!meter.memory_growing(0, 60, Some(50)).unwrap());
        assert!(!meter.refused());
    }

    #[test]
    fn a_machine_short_of_memory_stops_the_call() {
        let error = meter().memory_grow_failed(wasmtime::format_err!("mmap failed")).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Stop::Host(_))));
    }
}
