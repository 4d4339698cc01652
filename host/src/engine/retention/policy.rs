//! Which payloads the log keeps: rules by category and event type, as somebody writes them, and what they say of an event.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::duration::duration;
use crate::event::{EventType, StreamName, Timestamp, Version, category_of};

/// The category of what the host itself appends, about erasure above all: never compacted.
const OWN_CATEGORY: &str = "polyfold";

/// What the log keeps. Without rules that is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Policy {
    /// Event types that stay whatever a rule says.
    pub critical: BTreeSet<String>,
    pub categories: BTreeMap<String, Rule>,
    pub event_types: BTreeMap<String, Rule>,
    /// A host starts a run by itself where so many events could go.
    pub when_events: Option<u64>,
    /// The same by bytes of payloads.
    pub when_bytes: Option<u64>,
    /// How long nothing was appended before a host starts one.
    pub quiet: Quiet,
}

/// How long nobody appends in a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet(pub Duration);

impl Default for Quiet {
    /// A minute: most bursts have no longer gaps.
    fn default() -> Self {
        Self(Duration::from_secs(60))
    }
}

/// What stays of a category or an event type: what any of its parts keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub enum Rule {
    All,
    Some {
        /// Events that are among so many last of their stream, of whatever type those are.
        last: Option<NonZeroU64>,
        /// Events that were recorded so long ago or later.
        within: Option<Duration>,
    },
}

/// A policy as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    critical: BTreeSet<String>,
    #[serde(default)]
    category: BTreeMap<String, Rule>,
    #[serde(default, rename = "type")]
    event_type: BTreeMap<String, Rule>,
    when_events: Option<NonZeroU64>,
    when_bytes: Option<NonZeroU64>,
    quiet: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    keep: Option<String>,
    last: Option<u64>,
    r#for: Option<String>,
}

impl TryFrom<WrittenRule> for Rule {
    type Error = String;

    fn try_from(WrittenRule { keep, last, r#for }: WrittenRule) -> Result<Self, String> {
        match (keep.as_deref(), last, &r#for) {
            (Some("all"), None, None) => return Ok(Self::All),
            (Some("all"), _, _) => return Err("keep = \"all\" keeps all events; leave out last and for".to_owned()),
            (Some(other), _, _) => return Err(format!("keep is {other:?}; it can be \"all\", or use last and for")),
            (None, None, None) => return Err("a rule says keep = \"all\", last or for".to_owned()),
            (None, _, _) => {}
        }
        let none_at_all = "last is 0; it must be 1 at least, so that of each stream something stays";
        let last = last.map(|last| NonZeroU64::new(last).ok_or(none_at_all)).transpose()?;
        let within = r#for.map(|text| duration(&text).map_err(|why| format!("for: {why}"))).transpose()?;
        Ok(Self::Some { last, within })
    }
}

impl TryFrom<Written> for Policy {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { critical, category, event_type, when_events, when_bytes, quiet } = written;
        for name in critical.iter().chain(event_type.keys()) {
            EventType::new(name).map_err(|error| format!("{name:?} is no event type: {error}"))?;
        }
        for name in category.keys() {
            let is_category = StreamName::new(format!("{name}/1")).is_ok_and(|it| it.category() == name);
            if !is_category {
                return Err(format!(
                    "{name:?} is no category; that is what a stream's name has before its first slash"
                ));
            }
            if name == OWN_CATEGORY {
                return Err(format!("the events of category {name:?} are the host's own and always kept"));
            }
        }
        let quiet = quiet.map(|text| duration(&text).map_err(|why| format!("quiet: {why}"))).transpose()?;
        let (when_events, when_bytes) = (when_events.map(NonZeroU64::get), when_bytes.map(NonZeroU64::get));
        let quiet = quiet.map_or_else(Quiet::default, Quiet);
        Ok(Self { critical, categories: category, event_types: event_type, when_events, when_bytes, quiet })
    }
}

/// What a rule looks at in an event.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub stream: &'a str,
    pub event_type: &'a str,
    pub version: Version,
    pub recorded_at: Timestamp,
    /// The version of the last event of its stream.
    pub last_version: Version,
}

/// What a policy says of an event's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Drop,
    Keep,
    /// It is kept because its type is critical; otherwise it would go.
    Critical,
}

impl Policy {
    /// Whether it could ever drop anything.
    pub fn is_empty(&self) -> bool {
        self.categories.values().chain(self.event_types.values()).all(|rule| *rule == Rule::All)
    }

    /// Whether a host should start runs by itself.
    pub fn starts_by_itself(&self) -> bool {
        !self.is_empty() && (self.when_events.is_some() || self.when_bytes.is_some())
    }

    /// Whether any rule is about the event, so that it might go; a critical one counts.
    pub fn concerns(&self, stream: &str, event_type: &str) -> bool {
        let category = category_of(stream);
        let is_all = |rule: Option<&Rule>| rule.is_some_and(|rule| *rule == Rule::All);
        let (of_category, of_type) = (self.categories.get(category), self.event_types.get(event_type));
        category != OWN_CATEGORY
            && (of_category.is_some() || of_type.is_some())
            && !is_all(of_category)
            && !is_all(of_type)
    }

    /// What becomes of an event at a time: it stays if any rule about it says so, and goes if there is one and none does.
    pub fn judge(&self, event: Candidate<'_>, now: Timestamp) -> Verdict {
        if !self.concerns(event.stream, event.event_type) {
            return Verdict::Keep;
        }
        let rules = [self.categories.get(category_of(event.stream)), self.event_types.get(event.event_type)];
        if rules.into_iter().flatten().any(|rule| rule.keeps(event, now)) {
            return Verdict::Keep;
        }
        if self.critical.contains(event.event_type) { Verdict::Critical } else { Verdict::Drop }
    }
}

impl Rule {
    fn keeps(&self, event: Candidate<'_>, now: Timestamp) -> bool {
        match self {
            Self::All => true,
            Self::Some { last, within } => {
                let is_last = last.is_some_and(|last| event.last_version.0 - event.version.0 < last.get());
                // A duration that reaches before all times keeps everything.
                let since = |within: &Duration| {
                    i64::try_from(within.as_micros()).ok().and_then(|micros| now.micros().checked_sub(micros))
                };
                let is_new = |within: &Duration| since(within).is_none_or(|since| event.recorded_at.micros() >= since);
                is_last || within.as_ref().is_some_and(is_new)
            }
        }
    }
}

/// In one line: what it does, not its names.
impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("keep all");
        }
        let of = |kind: &str, rules: &BTreeMap<String, Rule>| {
            rules.iter().map(|(name, rule)| format!("{kind} {name}: {rule}")).collect::<Vec<_>>()
        };
        let critical = self.critical.iter().map(|name| format!("type {name}: critical"));
        let all = of("category", &self.categories).into_iter().chain(of("type", &self.event_types)).chain(critical);
        f.write_str(&all.collect::<Vec<_>>().join("; "))
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some { last, within } => {
                let last = last.map(|last| format!("the last {last} of each stream"));
                let within = within.map(|within| format!("for {}", spelled(within)));
                let parts: Vec<String> = [last, within].into_iter().flatten().collect();
                f.write_str(&parts.join(" and "))
            }
        }
    }
}

/// A duration in the largest unit that has no rest.
fn spelled(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    unit.map_or_else(|| format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        toml::from_str(text).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    const DAY: i64 = 86_400;

    /// An event of `flight/1` with its version of 10, recorded so many days before now.
    fn event(event_type: &str, version: u64, days: i64) -> Candidate<'_> {
        let (version, last_version) = (Version(version), Version(10));
        Candidate { stream: "flight/1", event_type, version, recorded_at: at((1_000 - days) * DAY), last_version }
    }

    fn judge(policy: &Policy, event: Candidate<'_>) -> Verdict {
        policy.judge(event, at(1_000 * DAY))
    }

    #[test]
    fn without_rules_everything_stays() {
        let none = policy("critical = [\"diverted\"]");
        assert!(none.is_empty() && !none.starts_by_itself());
        assert_eq!(judge(&none, event("position", 1, 900)), Verdict::Keep);
        assert!(policy("[category.flight]\nkeep = \"all\"").is_empty());
    }

    #[test]
    fn the_last_of_each_stream_stay() {
        let last = policy("[category.flight]\nlast = 2");
        let verdicts: Vec<_> = (7..=10).map(|version| judge(&last, event("position", version, 0))).collect();
        assert_eq!(verdicts, [Verdict::Drop, Verdict::Drop, Verdict::Keep, Verdict::Keep]);
        let other = Candidate { stream: "airport/1", ..event("position", 1, 900) };
        assert_eq!(judge(&last, other), Verdict::Keep, "no rule is about it");
    }

    #[test]
    fn an_event_stays_for_its_time() {
        let within = policy("[type.position]\nfor = \"90d\"");
        assert_eq!(judge(&within, event("position", 1, 90)), Verdict::Keep);
        assert_eq!(judge(&within, event("position", 1, 91)), Verdict::Drop);
        assert_eq!(judge(&within, event("arrived", 1, 91)), Verdict::Keep);
        let for_ever = policy("[type.position]\nfor = \"99999999w\"");
        assert_eq!(judge(&for_ever, event("position", 1, 999)), Verdict::Keep);
    }

    #[test]
    fn an_event_stays_if_any_part_of_any_rule_says_so() {
        let joined = policy(
            "[category.flight]\nlast = 1\nfor = \"30d\"\n[type.position]\nlast = 3\n[type.arrived]\nkeep = \"all\"",
        );
        assert_eq!(judge(&joined, event("position", 1, 30)), Verdict::Keep);
        assert_eq!(judge(&joined, event("position", 8, 31)), Verdict::Keep);
        assert_eq!(judge(&joined, event("position", 7, 31)), Verdict::Drop);
        assert_eq!(judge(&joined, event("delayed", 9, 31)), Verdict::Drop);
        assert_eq!(judge(&joined, event("arrived", 1, 900)), Verdict::Keep);
    }

    #[test]
    fn critical_types_and_the_hosts_own_events_stay() {
        let critical = policy("critical = [\"diverted\"]\n[category.flight]\nlast = 1\n[type.redacted]\nlast = 1");
        assert_eq!(judge(&critical, event("diverted", 1, 900)), Verdict::Critical);
        assert_eq!(judge(&critical, event("diverted", 10, 900)), Verdict::Keep, "it stays anyway");
        let own = Candidate { stream: "polyfold/redactions", ..event("redacted", 1, 900) };
        assert_eq!(judge(&critical, own), Verdict::Keep);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_the_reason() {
        let refused = |text: &str| toml::from_str::<Policy>(text).unwrap_err().message().to_owned();
        for (text, why) in [
            ("[category.flight]\nlast = 0", "last is 0; it must be 1 at least, so that of each stream something stays"),
            ("[category.flight]", "a rule says keep = \"all\", last or for"),
            ("[category.flight]\nkeep = \"all\"\nlast = 1", "keep = \"all\" keeps all events; leave out last and for"),
            ("[category.flight]\nkeep = \"some\"", "keep is \"some\"; it can be \"all\", or use last and for"),
            (
                "[category.flight]\nfor = \"soon\"",
                "for: \"soon\" is no duration; give a number and a unit (s, m, h, d, w), for example 30d",
            ),
            ("[category.polyfold]\nlast = 1", "the events of category \"polyfold\" are the host's own and always kept"),
            (
                "[category.\"a/b\"]\nlast = 1",
                "\"a/b\" is no category; that is what a stream's name has before its first slash",
            ),
            ("quiet = \"1\"", "quiet: \"1\" is no duration; give a number and a unit (s, m, h, d, w), for example 30d"),
        ] {
            assert_eq!(refused(text), why, "{text}");
        }
        assert!(refused("[category.flight]\nlats = 1").starts_with("unknown field `lats`"));
        assert!(refused("when_events = 0").contains("nonzero"), "{}", refused("when_events = 0"));
        assert!(
            refused("critical = [\"\"]").starts_with("\"\" is no event type: "),
            "{}",
            refused("critical = [\"\"]")
        );
    }

    #[test]
    fn a_rule_says_what_it_keeps() {
        let policy = policy("[type.a]\nlast = 3\nfor = \"90d\"\n[type.b]\nfor = \"36h\"\n[type.c]\nkeep = \"all\"");
        let rules: Vec<String> = policy.event_types.values().map(Rule::to_string).collect();
        assert_eq!(rules, ["the last 3 of each stream and for 90d", "for 36h", "all"]);
    }
}
