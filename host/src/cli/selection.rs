//! Which events a command reads: the flags that `read`, `tail` and `export` share, in the words of the API.

use clap::Args;

use super::client::{Client, Query, segments};
use super::error::Error;
use crate::engine::Moment;
use crate::event::{StreamName, Timestamp};
use crate::server::model::{Event, EventPage, StreamPage};

/// Events asked for at once; the API gives no more.
const PAGE_EVENTS: u64 = 1_000;

/// Which events, and how they should look.
#[derive(Clone, Debug, Args)]
pub(super) struct Selection {
    /// Start behind this sequence (or, with --stream, behind this version of the stream).
    #[arg(long, value_name = "SEQUENCE")]
    pub(super) since: Option<u64>,
    /// End with this sequence.
    #[arg(long, value_name = "SEQUENCE")]
    pub(super) to: Option<u64>,
    /// Only this stream.
    #[arg(long)]
    pub(super) stream: Option<StreamName>,
    /// Only this event type; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    event_types: Vec<String>,
    /// Only this category; may be given several times.
    #[arg(long = "category", value_name = "CATEGORY")]
    categories: Vec<String>,
    /// Only events recorded at this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub(super) recorded_since: Option<Timestamp>,
    /// Only events recorded before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    recorded_until: Option<Timestamp>,
    /// Lift old events by the installed upcasters; --type then means the type they end up with.
    #[arg(long)]
    upcast: bool,
    /// Where everything ends; a command that has it has its own flag for it.
    #[arg(skip)]
    pub(super) as_of: Option<Moment>,
}

impl Selection {
    /// The sequence behind which to start: with a stream, that of the event before the first one wanted.
    pub(super) fn begin(&self, client: &mut Client, head: u64) -> Result<u64, Error> {
        let (Some(stream), Some(version)) = (&self.stream, self.since) else { return Ok(self.since.unwrap_or(0)) };
        let path = format!("/streams/{}", segments(stream.as_str()));
        let page: StreamPage = client.get(Query::of(path).with("since", version).with("limit", 1).path())?;
        Ok(page.events.first().map_or(head, |event| event.sequence - 1))
    }

    /// Whether every event is selected between its ends.
    pub(super) fn is_whole(&self) -> bool {
        let has_names = !self.event_types.is_empty() || !self.categories.is_empty() || self.stream.is_some();
        !has_names && self.recorded_since.is_none() && self.recorded_until.is_none()
    }

    /// Asks for the events behind a sequence.
    pub(super) fn query(&self, since: u64) -> Query {
        let query = Query::of("/events").with("since", since).with_some("to", self.to);
        let query = query.with_some("stream", self.stream.as_ref().map(StreamName::as_str));
        let query = query.with_each("type", &self.event_types).with_each("category", &self.categories);
        let query = query.with_some("recorded_since", self.recorded_since);
        let query = query.with_some("recorded_until", self.recorded_until);
        let query = query.with_some("as_of", self.as_of);
        query.with_some("upcast", self.upcast.then_some(true))
    }

    /// Asks for the next page of at most `limit` events, waiting so long for the first.
    pub(super) fn page(
        &self,
        client: &mut Client,
        since: u64,
        limit: u64,
        wait_seconds: Option<u64>,
    ) -> Result<EventPage, Error> {
        let query = self.query(since).with("limit", limit.min(PAGE_EVENTS)).with_some("wait", wait_seconds);
        client.get(query.path())
    }
}

/// An event as one line for people.
pub(super) fn readable(event: &Event) -> String {
    let Event { sequence, recorded_at, stream, version, event_type, schema_version, data, dropped, .. } = event;
    let data = dropped.as_ref().map_or_else(|| data.text(), |dropped| format!("({})", dropped.why));
    format!("{sequence}  {recorded_at}  {stream}@{version}  {event_type} v{schema_version}  {data}")
}
