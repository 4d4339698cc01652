//! What a plugin says of itself, checked once when it is loaded.

use std::collections::BTreeSet;

use crate::event::{EventType, Filter, InvalidName, PluginName, SchemaVersion, StreamName};

/// What a projection says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectionManifest {
    pub name: PluginName,
    /// By semantic versioning.
    pub version: String,
    pub description: String,
    /// The events it wants.
    pub filter: Filter,
    pub payload_encoding: PayloadEncoding,
    pub state_encoding: StateEncoding,
    pub views: Vec<View>,
}

/// What an upcaster says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpcasterManifest {
    pub name: PluginName,
    /// By semantic versioning.
    pub version: String,
    pub description: String,
    /// At least one; no two take the same events.
    pub steps: Vec<Step>,
    pub payload_encoding: PayloadEncoding,
}

/// From one schema version of an event type to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub event_type: EventType,
    pub from: SchemaVersion,
    /// The type of the events it makes, if that changes.
    pub new_event_type: Option<EventType>,
}

/// A name for the keys that start with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// 1 to 64 of `a`-`z`, `0`-`9`, `-`.
    pub name: String,
    pub prefix: String,
    pub description: String,
}

/// How payloads reach a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadEncoding {
    Cbor,
    Json,
}

/// How people and exports should read the values of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEncoding {
    Cbor,
    Json,
    Text,
    Bytes,
}

/// A manifest that breaks a rule; the text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidManifest(String);

/// A projection's manifest as its plugin gave it.
pub(super) struct RawProjection {
    pub(super) about: About,
    pub(super) event_types: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) payload_encoding: PayloadEncoding,
    pub(super) state_encoding: StateEncoding,
    pub(super) views: Vec<View>,
}

/// An upcaster's manifest as its plugin gave it.
pub(super) struct RawUpcaster {
    pub(super) about: About,
    pub(super) steps: Vec<RawStep>,
    pub(super) payload_encoding: PayloadEncoding,
}

pub(super) struct About {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
}

pub(super) struct RawStep {
    pub(super) event_type: String,
    pub(super) schema_version: u32,
    pub(super) new_event_type: Option<String>,
}

/// 64 bytes, as a plugin's name: it is shown beside it.
const VERSION_BYTES_MAX: usize = 64;
/// 4 KiB: the WIT asks for a sentence.
const DESCRIPTION_BYTES_MAX: usize = 4 << 10;
/// 256 event types and as many categories: a projection that wants more wants all.
const FILTER_ENTRIES_MAX: usize = 256;
/// 64 views: they are a list for people.
const VIEWS_MAX: usize = 64;
/// 1,024 steps: the history of every event type of a large program.
const STEPS_MAX: usize = 1_024;
/// 1 KiB, as a key: no longer prefix can match one.
const PREFIX_BYTES_MAX: usize = 1 << 10;

impl RawProjection {
    pub(super) fn validate(self) -> Result<ProjectionManifest, InvalidManifest> {
        let name = self.about.validate()?;
        at_most("event types", self.event_types.len(), FILTER_ENTRIES_MAX)?;
        at_most("categories", self.categories.len(), FILTER_ENTRIES_MAX)?;
        at_most("views", self.views.len(), VIEWS_MAX)?;
        for event_type in &self.event_types {
            EventType::new(event_type).map_err(invalid)?;
        }
        for category in &self.categories {
            check_category(category)?;
        }
        let mut names = BTreeSet::new();
        for view in &self.views {
            check_view(view)?;
            if !names.insert(&view.name) {
                return Err(InvalidManifest(format!("there are two views named {:?}", view.name)));
            }
        }
        Ok(ProjectionManifest {
            name,
            version: self.about.version,
            description: self.about.description,
            filter: Filter {
                event_types: self.event_types.into_iter().collect(),
                categories: self.categories.into_iter().collect(),
            },
            payload_encoding: self.payload_encoding,
            state_encoding: self.state_encoding,
            views: self.views,
        })
    }
}

impl RawUpcaster {
    pub(super) fn validate(self) -> Result<UpcasterManifest, InvalidManifest> {
        let name = self.about.validate()?;
        if self.steps.is_empty() {
            return Err(InvalidManifest("there are no steps, an upcaster has at least one".into()));
        }
        at_most("steps", self.steps.len(), STEPS_MAX)?;
        let mut taken = BTreeSet::new();
        let mut steps = Vec::with_capacity(self.steps.len());
        for raw in self.steps {
            let step = raw.validate()?;
            let (event_type, from) = (&step.event_type, step.from);
            if !taken.insert((event_type.clone(), from)) {
                return Err(InvalidManifest(format!("there are two steps from {event_type} version {from}")));
            }
            steps.push(step);
        }
        Ok(UpcasterManifest {
            name,
            version: self.about.version,
            description: self.about.description,
            steps,
            payload_encoding: self.payload_encoding,
        })
    }
}

impl About {
    fn validate(&self) -> Result<PluginName, InvalidManifest> {
        let name = PluginName::new(self.name.clone()).map_err(invalid)?;
        if self.version.len() > VERSION_BYTES_MAX {
            return Err(InvalidManifest(format!("the version is longer than {VERSION_BYTES_MAX} bytes")));
        }
        if let Err(error) = semver::Version::parse(&self.version) {
            let version = &self.version;
            return Err(InvalidManifest(format!("{version:?} is not a semantic version such as 1.0.0: {error}")));
        }
        check_description(&self.description)?;
        Ok(name)
    }
}

impl RawStep {
    fn validate(self) -> Result<Step, InvalidManifest> {
        if self.schema_version == 0 || self.schema_version == u32::MAX {
            let (event_type, version) = (self.event_type, self.schema_version);
            return Err(InvalidManifest(format!(
                "the step of {event_type:?} starts at schema version {version}, which no event can have or leave"
            )));
        }
        Ok(Step {
            event_type: EventType::new(self.event_type).map_err(invalid)?,
            from: SchemaVersion(self.schema_version),
            new_event_type: self.new_event_type.map(EventType::new).transpose().map_err(invalid)?,
        })
    }
}

fn check_category(category: &str) -> Result<(), InvalidManifest> {
    // A category is what stands before the first `/`, so it is valid if it makes a valid stream name.
    if category.contains('/') || StreamName::new(format!("{category}/x")).is_err() {
        let shown: String = category.chars().take(80).collect();
        return Err(InvalidManifest(format!("{shown:?} is not a valid category: a stream's name up to its first /")));
    }
    Ok(())
}

fn check_view(view: &View) -> Result<(), InvalidManifest> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if view.name.is_empty() || view.name.len() > 64 || !view.name.chars().all(valid) {
        let shown: String = view.name.chars().take(80).collect();
        return Err(InvalidManifest(format!("{shown:?} is not a valid view: it must be 1 to 64 of a-z, 0-9 and -")));
    }
    if view.prefix.len() > PREFIX_BYTES_MAX {
        let name = &view.name;
        return Err(InvalidManifest(format!("the prefix of view {name:?} is longer than {PREFIX_BYTES_MAX} bytes")));
    }
    check_description(&view.description)
}

fn check_description(description: &str) -> Result<(), InvalidManifest> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        return Err(InvalidManifest(format!("a description is longer than {DESCRIPTION_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn at_most(what: &str, found: usize, max: usize) -> Result<(), InvalidManifest> {
    if found > max {
        return Err(InvalidManifest(format!("there are {found} {what}, at most {max} are allowed")));
    }
    Ok(())
}

fn invalid(error: InvalidName) -> InvalidManifest {
    InvalidManifest(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { name: "totals".into(), version: "1.0.0".into(), description: String::new() }
    }

    fn projection() -> RawProjection {
        RawProjection {
            about: about(),
            event_types: vec!["flight.departed".into()],
            categories: vec!["flight".into()],
            payload_encoding: PayloadEncoding::Cbor,
            state_encoding: StateEncoding::Json,
            views: vec![view("all")],
        }
    }

    fn view(name: &str) -> View {
        View { name: name.into(), prefix: String::new(), description: String::new() }
    }

    fn step(event_type: &str, schema_version: u32) -> RawStep {
        RawStep { event_type: event_type.into(), schema_version, new_event_type: None }
    }

    #[test]
    fn a_valid_manifest_keeps_what_it_says() {
        let manifest = projection().validate().unwrap();
        assert_eq!(manifest.name.as_str(), "totals");
        assert!(manifest.filter.wants("flight.departed", "flight/UA1545"));
        assert!(!manifest.filter.wants("flight.departed", "train/1"));
    }

    #[test]
    fn a_projection_that_breaks_a_rule_is_told_which() {
        let check = |change: fn(&mut RawProjection), expected: &str| {
            let mut raw = projection();
            change(&mut raw);
            assert_eq!(raw.validate().unwrap_err().to_string(), expected);
        };
        check(
            |raw| raw.about.name = "Totals".into(),
            "\"Totals\" is not a valid name: it must be 1 to 64 of a-z, 0-9 and -, starting with a letter",
        );
        check(
            |raw| raw.about.version = "one".into(),
            "\"one\" is not a semantic version such as 1.0.0: unexpected character 'o' while parsing major version number",
        );
        check(|raw| raw.about.version = format!("1.0.0-{}", "x".repeat(64)), "the version is longer than 64 bytes");
        check(|raw| raw.about.description = "x".repeat(4_097), "a description is longer than 4096 bytes");
        check(|raw| raw.event_types.push(String::new()), "\"\" is not a valid event type: it is empty");
        check(|raw| raw.event_types = vec!["x".into(); 257], "there are 257 event types, at most 256 are allowed");
        check(
            |raw| raw.categories.push("a/b".into()),
            "\"a/b\" is not a valid category: a stream's name up to its first /",
        );
        check(|raw| raw.views.push(view("all")), "there are two views named \"all\"");
        check(|raw| raw.views.push(view("")), "\"\" is not a valid view: it must be 1 to 64 of a-z, 0-9 and -");
    }

    #[test]
    fn an_upcaster_that_breaks_a_rule_is_told_which() {
        let check = |steps: Vec<RawStep>, expected: &str| {
            let raw = RawUpcaster { about: about(), steps, payload_encoding: PayloadEncoding::Cbor };
            assert_eq!(raw.validate().unwrap_err().to_string(), expected);
        };
        check(vec![], "there are no steps, an upcaster has at least one");
        check(vec![step("a", 1), step("a", 2), step("a", 1)], "there are two steps from a version 1");
        check(vec![step("a", 0)], "the step of \"a\" starts at schema version 0, which no event can have or leave");
        check((1..=1_025).map(|from| step("a", from)).collect(), "there are 1025 steps, at most 1024 are allowed");
    }
}
