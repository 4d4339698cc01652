//! What decides a state's content, and the digest of it that names the state's file.

use serde::{Deserialize, Serialize};

use super::FaultPolicy;
use crate::event::Digest;
use crate::plugin::{HOST_CALL_PRICES, Limits, Prices};

/// Says which fields the identity digests and how. Another version makes other identities.
const DOMAIN: &str = "polyfold identity v1\n";

/// All that decides a state's content, the log apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The projection's plugin.
    pub plugin: String,
    pub abi: String,
    /// The upcasters that touch the events it wants, in order of digest.
    pub upcasters: Vec<String>,
    /// A JSON object, in canonical form.
    pub parameters: String,
    pub fuel_per_event: u64,
    pub memory_bytes: u64,
    /// The other limits that a plugin can run into, by name.
    pub limits: Vec<(String, u64)>,
    pub on_fault: FaultPolicy,
}

impl Deployment {
    /// BLAKE3 of this deployment as JSON, its fields in the order above.
    pub fn identity(&self) -> Digest {
        let json = serde_json::to_string(self).expect("a deployment is plain data");
        Digest::of(format!("{DOMAIN}{json}").as_bytes())
    }

    pub fn plugin(&self) -> Digest {
        self.plugin.parse().expect("digests are checked when the catalogue is opened")
    }

    /// The sandbox limits with what this deployment changes.
    pub fn limits(&self) -> Limits {
        Limits {
            fuel_per_event: self.fuel_per_event,
            memory_bytes: usize::try_from(self.memory_bytes).unwrap_or(usize::MAX),
            host_call_prices: self.prices().expect("prices are checked when the catalogue is opened"),
            ..Limits::default()
        }
    }

    /// The limits of the upcasters whose events it takes: what a user sets is for the projection's own plugin.
    pub(super) fn upcaster_limits(&self) -> Limits {
        Limits { host_call_prices: self.limits().host_call_prices, ..Limits::default() }
    }

    /// What the host's work costs, or the number of a schedule that this version does not have. It costs nothing where
    /// the deployment is from before there were prices.
    pub(super) fn prices(&self) -> Result<Prices, u64> {
        let named = self.limits.iter().find(|(name, _)| name == HOST_CALL_PRICES);
        named.map_or(Ok(Prices::None), |(_, number)| Prices::numbered(*number).ok_or(*number))
    }

    /// What it says of limits that decide what a state holds.
    pub(super) fn named(limits: &Limits) -> Vec<(String, u64)> {
        limits.describe_identity().into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect()
    }

    /// Every digest in it, as text.
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.upcasters.iter().chain([&self.plugin]).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Deployment {
        Deployment {
            plugin: Digest::of(b"plugin").to_string(),
            abi: "0.1.0".into(),
            upcasters: vec![Digest::of(b"upcaster").to_string()],
            parameters: "{}".into(),
            fuel_per_event: 1_000,
            memory_bytes: 2_000,
            limits: vec![("key-bytes".into(), 1_024)],
            on_fault: FaultPolicy::Halt,
        }
    }

    #[test]
    fn an_identity_stays_the_same_from_release_to_release() {
        let identity = deployment().identity();
        expect_test::expect!["a7c0901b7b73914609a262c56ae6fe0d0d4ea3569a7b8c0033600f4e04a7f0e4"]
            .assert_eq(&identity.to_string());
    }

    #[test]
    fn what_was_deployed_before_there_were_prices_goes_on_without() {
        let with = |number| Deployment { limits: vec![(HOST_CALL_PRICES.into(), number)], ..deployment() };
        assert_eq!(deployment().limits().host_call_prices, Prices::None);
        assert_eq!(with(1).limits().host_call_prices, Prices::V1);
        assert_eq!(with(2).prices(), Err(2));
        for limits in [Limits::default(), Limits { host_call_prices: Prices::None, ..Limits::default() }] {
            let deployed = Deployment { limits: Deployment::named(&limits), ..deployment() };
            assert_eq!(Deployment::named(&deployed.limits())[8..], deployed.limits[8..]);
        }
    }

    #[test]
    fn everything_that_decides_the_content_changes_the_identity() {
        let other = [
            Deployment { plugin: Digest::ZERO.to_string(), ..deployment() },
            Deployment { abi: "0.2.0".into(), ..deployment() },
            Deployment { upcasters: vec![], ..deployment() },
            Deployment { parameters: "{\"a\":1}".into(), ..deployment() },
            Deployment { fuel_per_event: 1_001, ..deployment() },
            Deployment { memory_bytes: 2_001, ..deployment() },
            Deployment { limits: vec![], ..deployment() },
            Deployment { on_fault: FaultPolicy::Skip, ..deployment() },
            Deployment { on_fault: FaultPolicy::Quarantine, ..deployment() },
        ];
        let mut identities: Vec<_> = other.iter().map(Deployment::identity).collect();
        identities.push(deployment().identity());
        identities.sort();
        identities.dedup();
        assert_eq!(identities.len(), other.len() + 1);
    }
}
