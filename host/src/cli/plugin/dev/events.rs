//! What an upcaster makes of the first events that it concerns.

use serde::Serialize;

use super::change::{cut, indented};
use super::{Client, Error, Plugin};
use crate::cli::client::{Query, segment};
use crate::server::model::{Event, EventPage, PluginDetails};
use crate::server::problem::Code;

/// Events that are shown.
const SHOWN: usize = 10;

/// Events as they are stored and as they are lifted.
#[derive(Serialize)]
pub(super) struct Events {
    /// The types that the upcaster takes.
    types: Vec<String>,
    lifted: Vec<Lifted>,
}

#[derive(Serialize)]
struct Lifted {
    before: Event,
    after: Option<Event>,
    /// Why there is none.
    fault: Option<String>,
}

impl Events {
    /// The first page of events that are of a type that the upcaster takes.
    pub(super) fn of(client: &mut Client, plugin: &Plugin) -> Result<Self, Error> {
        let details: PluginDetails = client.get(&format!("/plugins/{}", segment(&plugin.digest)))?;
        let mut types: Vec<_> = details.steps.into_iter().map(|step| step.event_type).collect();
        types.sort();
        types.dedup();
        let stored = Query::of("/events").with_each("type", &types).with("limit", SHOWN);
        let stored: EventPage = client.get(stored.path())?;
        let lifted = stored.events.into_iter().map(|event| Lifted::of(client, event)).collect::<Result<_, _>>()?;
        Ok(Self { types, lifted })
    }

    /// For people, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.lifted.is_empty() {
            return vec![format!("  the log holds no event of its types yet: {}", self.types.join(", "))];
        }
        self.lifted.iter().map(|lifted| indented(&lifted.text())).collect()
    }
}

impl Lifted {
    fn of(client: &mut Client, before: Event) -> Result<Self, Error> {
        let query = Query::of("/events").with("since", before.sequence - 1).with("to", before.sequence);
        match client.get::<EventPage>(query.with("upcast", true).path()) {
            Ok(page) => Ok(Self { before, after: page.events.into_iter().next(), fault: None }),
            // Each is asked for alone, so it is this one that fails.
            Err(Error::Problem(problem)) if problem.code == Code::Damaged || problem.code == Code::InvalidEvent => {
                Ok(Self { before, after: None, fault: Some(problem.detail) })
            }
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> String {
        let Self { before, after, fault } = self;
        let form =
            |event: &Event| format!("{} v{}  {}", event.event_type, event.schema_version, cut(event.data.text()));
        let after = after.as_ref().map(form).or_else(|| fault.clone()).unwrap_or_else(|| "nothing".to_owned());
        let Event { sequence, stream, version, .. } = before;
        format!("{sequence}  {stream}@{version}\n  - {}\n  + {after}", form(before))
    }
}
