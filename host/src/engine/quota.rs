//! What a projection may use of the machine, over time and in sum. Over quota it rests; what it makes never depends on it,
//! so quotas are no part of an identity.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Phase;
use crate::state::{Error, Overlay, Totals};

/// What a projection may use; what is left out is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Fuel of all its calls, kept or not, of all its states together, on an average over [`Quota::WINDOW`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_per_second: Option<u64>,
    /// The keys and values of a state together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_bytes: Option<u64>,
    /// The entries of a state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_entries: Option<u64>,
}

/// Why a projection rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OverQuota {
    pub(super) reason: String,
    /// When it may go on by itself; none if only a higher quota helps.
    pub(super) again: Option<Duration>,
    /// How often the quota had been changed by then.
    changes: u64,
}

/// A worker's part in a quota: the gauge that it shares, and how large its own state is.
#[derive(Debug, Default)]
pub(super) struct Budget {
    gauge: Arc<Gauge>,
    /// What is kept comes to, as far as it is known.
    totals: Option<Totals>,
}

/// The quota of one projection and what it used lately, shared by its workers.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    inner: Mutex<Inner>,
    /// How often the quota was changed: who rests looks whether it was.
    changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    quota: Quota,
    /// When fuel was used and how much, oldest first, in slots of [`SLOT`].
    used: VecDeque<(Instant, u64)>,
}

/// The gauges of all projections that run.
#[derive(Debug, Default)]
pub(super) struct Gauges(Mutex<BTreeMap<String, Arc<Gauge>>>);

/// A window of ten seconds has a hundred of these: as fine as anybody watches it, and small.
const SLOT: Duration = Duration::from_millis(100);

impl Quota {
    /// 10 seconds: longer than the costliest call, short enough to see.
    pub const WINDOW: Duration = Duration::from_secs(10);

    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a state may become that large, having been `before`. What shrinks is never over quota.
    fn allows(&self, before: Totals, after: Totals) -> Result<(), String> {
        let sizes = [
            ("entries", before.entries, after.entries, self.state_entries, "--state-entries"),
            ("bytes", before.bytes, after.bytes, self.state_bytes, "--state-bytes"),
        ];
        for (unit, before, after, quota, option) in sizes {
            if let Some(quota) = quota.filter(|quota| after > *quota && after > before) {
                return Err(format!(
                    "its state would have {after} {unit}, and its quota is {quota}; raise it with `polyfold projection quota` and {option}"
                ));
            }
        }
        Ok(())
    }
}

impl OverQuota {
    pub(super) fn phase(&self) -> Phase {
        Phase::OverQuota { reason: self.reason.clone(), goes_on: self.again.is_some() }
    }

    /// Whether the quota is another one now.
    pub(super) fn is_outdated(&self, gauge: &Gauge) -> bool {
        gauge.changes.load(Ordering::Acquire) != self.changes
    }
}

impl Gauge {
    pub(super) fn quota(&self) -> Quota {
        self.inner().quota
    }

    pub(super) fn change(&self, quota: Quota) {
        self.inner().quota = quota;
        // Behind it: who sees the new number sees the new quota.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Whether sizes are limited: only then is there a reason to weigh changes.
    pub(super) fn limits_size(&self) -> bool {
        let quota = self.quota();
        quota.state_bytes.is_some() || quota.state_entries.is_some()
    }

    pub(super) fn allows(&self, before: Totals, after: Totals) -> Result<(), OverQuota> {
        let changes = self.changes.load(Ordering::Acquire);
        self.quota().allows(before, after).map_err(|reason| OverQuota { reason, again: None, changes })
    }

    /// Counts what a call used.
    pub(super) fn used(&self, fuel: u64) {
        self.used_at(Instant::now(), fuel);
    }

    /// Whether the next call may begin.
    pub(super) fn has_fuel(&self) -> Result<(), OverQuota> {
        self.has_fuel_at(Instant::now())
    }

    fn used_at(&self, now: Instant, fuel: u64) {
        let mut inner = self.inner();
        match inner.used.back_mut() {
            Some((since, used)) if now.saturating_duration_since(*since) < SLOT => *used += fuel,
            Some(_) | None => inner.used.push_back((now, fuel)),
        }
        inner.forget(now);
    }

    fn has_fuel_at(&self, now: Instant) -> Result<(), OverQuota> {
        let changes = self.changes.load(Ordering::Acquire);
        let mut inner = self.inner();
        let Some(per_second) = inner.quota.fuel_per_second else { return Ok(()) };
        inner.forget(now);
        let in_window = per_second.saturating_mul(Quota::WINDOW.as_secs());
        let used: u64 = inner.used.iter().map(|(_, fuel)| fuel).sum();
        if used < in_window {
            return Ok(());
        }
        // Until so much has left the window that the rest is below the quota again.
        let mut rest = used;
        let slot = inner.used.iter().find(|(_, fuel)| {
            rest -= fuel;
            rest < in_window
        });
        let left = slot.map_or(Quota::WINDOW, |(at, _)| (*at + Quota::WINDOW).saturating_duration_since(now));
        let reason = format!(
            "it used {used} fuel in {} seconds, and its quota is {per_second} a second; it goes on when that has passed, or raise it with `polyfold projection quota` and --fuel-per-second",
            Quota::WINDOW.as_secs()
        );
        Err(OverQuota { reason, again: Some(left.max(SLOT)), changes })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Whoever panicked here was counting.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    pub(super) fn of(gauge: Arc<Gauge>) -> Self {
        Self { gauge, totals: None }
    }

    pub(super) fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// Weighs the uppermost layer, which is to be kept. Refused, it must be discarded.
    pub(super) fn weigh(&mut self, overlay: &Overlay) -> Result<Result<(), OverQuota>, Error> {
        if !self.gauge.limits_size() {
            self.totals = None;
            return Ok(Ok(()));
        }
        let below = self.totals.map_or_else(|| overlay.totals_below(), Ok)?;
        let over = overlay.totals_over(below)?;
        let allowed = self.gauge.allows(below, over);
        self.totals = Some(if allowed.is_ok() { over } else { below });
        Ok(allowed)
    }

    /// Something was discarded that was kept before: what the state comes to is counted anew.
    pub(super) fn forget(&mut self) {
        self.totals = None;
    }
}

impl Inner {
    fn forget(&mut self, now: Instant) {
        while self.used.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= Quota::WINDOW) {
            self.used.pop_front();
        }
    }
}

impl Gauges {
    /// The gauge of a projection that has this quota.
    pub(super) fn of(&self, name: &str, quota: Quota) -> Arc<Gauge> {
        let gauge = Arc::clone(self.gauges().entry(name.to_owned()).or_default());
        if gauge.quota() != quota {
            gauge.change(quota);
        }
        gauge
    }

    pub(super) fn remove(&self, name: &str) {
        self.gauges().remove(name);
    }

    fn gauges(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Gauge>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(entries: u64, bytes: u64) -> Totals {
        Totals { entries, bytes }
    }

    #[test]
    fn a_state_may_grow_up_to_its_quota_and_shrink_beyond_it() {
        let quota = Quota { state_bytes: Some(100), state_entries: Some(5), ..Quota::default() };
        let allows = |before, after| quota.allows(before, after);
        assert_eq!(allows(totals(0, 0), totals(5, 100)), Ok(()));
        assert_eq!(allows(totals(9, 300), totals(8, 299)), Ok(()), "it shrinks");
        let reason = allows(totals(5, 50), totals(6, 60)).unwrap_err();
        assert!(reason.starts_with("its state would have 6 entries, and its quota is 5;"), "{reason}");
        let reason = allows(totals(5, 50), totals(5, 101)).unwrap_err();
        assert!(reason.starts_with("its state would have 101 bytes, and its quota is 100;"), "{reason}");
    }

    #[test]
    fn fuel_leaves_the_window_after_ten_seconds() {
        let gauge = Gauge::default();
        gauge.change(Quota { fuel_per_second: Some(10), ..Quota::default() });
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        gauge.used_at(at(0.0), 60);
        gauge.used_at(at(5.0), 39);
        assert!(gauge.has_fuel_at(at(5.0)).is_ok(), "99 of 100");
        gauge.used_at(at(5.5), 100);
        let over = gauge.has_fuel_at(at(6.0)).unwrap_err();
        assert_eq!(over.again, Some(Duration::from_millis(9_500)), "until the last slot has gone");
        assert!(over.reason.starts_with("it used 199 fuel in 10 seconds, and its quota is 10 a second;"));
        assert!(gauge.has_fuel_at(at(15.4)).is_err());
        assert!(gauge.has_fuel_at(at(15.5)).is_ok());
    }

    #[test]
    fn without_a_quota_nothing_is_over_it() {
        let gauge = Gauge::default();
        gauge.used(u64::MAX / 2);
        assert!(gauge.has_fuel().is_ok());
        assert!(gauge.allows(totals(0, 0), totals(u64::MAX, u64::MAX)).is_ok());
    }
}
