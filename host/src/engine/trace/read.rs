//! Reads a trace, and believes none of its lines: what does not fit is refused with the line's number.

use std::io::{BufRead, Read as _};
use std::sync::Arc;

use super::lines::{FORMAT, FORMAT_1};
use super::parse::{End, Event, Format, Header, Line};
use super::{Folded, Made, TRACE_BYTES_MAX, TRACE_EVENTS_MAX, Trace, TraceBatch};
use crate::engine::PluginKind;
use crate::event::{Digest, Sequence};

/// 16 MiB for one line: a payload or value of 1 MiB, escaped as badly as can be, with room to spare.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A line that no trace has, or that does not fit those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadTrace {
    /// Counted from 1.
    pub line: u64,
    pub why: String,
}

impl Trace {
    /// Reads a trace to its end.
    pub fn read(input: &mut dyn BufRead) -> Result<Self, BadTrace> {
        let mut text = String::new();
        let mut number = 0;
        let mut reading: Option<Reading> = None;
        loop {
            text.clear();
            let bad = |why: String| BadTrace { line: number + 1, why };
            let bytes = (&mut *input).take(LINE_BYTES_MAX).read_line(&mut text);
            let bytes = bytes.map_err(|error| bad(format!("it cannot be read: {error}")))?;
            if bytes == 0 {
                break;
            }
            if bytes as u64 == LINE_BYTES_MAX {
                return Err(bad(format!("it is longer than {LINE_BYTES_MAX} bytes")));
            }
            let line = text.trim_end_matches(['\n', '\r']);
            match &mut reading {
                None => reading = Some(Reading::begin(line).map_err(bad)?),
                Some(reading) => reading.take(line).map_err(bad)?,
            }
            number += 1;
        }
        let unended =
            || BadTrace { line: number.max(1), why: "the trace ends without its digest; it is cut off".into() };
        reading.filter(|reading| reading.is_over).map(Reading::finish).ok_or_else(unended)
    }
}

/// What is read so far.
struct Reading {
    plugin: String,
    digest: Digest,
    since: Sequence,
    to: Sequence,
    events: TraceBatch,
    sequences: Vec<Sequence>,
    made: Made,
    entry_bytes: usize,
    is_format_1: bool,
    is_over: bool,
}

impl Reading {
    fn begin(line: &str) -> Result<Self, String> {
        let unknown = || format!("this is no trace: its first line must say {FORMAT:?}");
        let format: Format = serde_json::from_str(line).map_err(|_| unknown())?;
        let is_format_1 = match format.format.as_deref() {
            Some(FORMAT) => false,
            Some(FORMAT_1) => true,
            Some(other) if other.starts_with("polyfold trace ") => {
                return Err(format!(
                    "it is a {other:?}, and this polyfold reads none newer than {FORMAT:?}; take the polyfold that wrote it"
                ));
            }
            Some(_) | None => return Err(unknown()),
        };
        let header: Header = serde_json::from_str(line).map_err(said)?;
        let made = match header.kind {
            PluginKind::Projection => Made::Projection(header.setup()?, Folded::default()),
            PluginKind::Upcaster => Made::Upcaster(Vec::new()),
        };
        Ok(Self {
            plugin: header.plugin,
            digest: digest(&header.digest)?,
            since: Sequence(header.since),
            to: Sequence(header.to),
            events: TraceBatch::default(),
            sequences: Vec::new(),
            made,
            entry_bytes: 0,
            is_format_1,
            is_over: false,
        })
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if self.is_over {
            return Err("the trace has ended before it".to_owned());
        }
        let line = serde_json::from_str(line).map_err(said)?;
        match (line, &mut self.made) {
            (Line::Event(event), made) => {
                if !made.is_empty() {
                    return Err("an event stands behind what is expected".to_owned());
                }
                self.event(event)
            }
            (Line::Entry(entry), Made::Projection(setup, folded)) => {
                self.entry_bytes += entry.take(setup.encoding, folded)?;
                within("the entries", self.entry_bytes, TRACE_BYTES_MAX, "bytes")
            }
            (Line::Fault(fault), Made::Projection(_, folded)) => {
                let last = folded.faults.last().map(|failed| failed.sequence);
                folded.faults.push(fault.read(&self.sequences, last)?);
                Ok(())
            }
            (Line::Lifted(lifted), Made::Upcaster(lifts)) => {
                let expected = self.sequences.get(lifts.len());
                lifts.push(lifted.read(expected.copied())?);
                Ok(())
            }
            (Line::End(end), _) => self.end(&end),
            (Line::Lifted(_), _) => Err("a projection's trace has no lifted events".to_owned()),
            (Line::Entry(_) | Line::Fault(_), _) => Err("an upcaster's trace has no entries and faults".to_owned()),
        }
    }

    fn event(&mut self, event: Event) -> Result<(), String> {
        let sequence = Sequence(event.sequence);
        if sequence <= self.since || sequence > self.to || self.sequences.last().is_some_and(|last| *last >= sequence) {
            return Err(format!("sequence {sequence} is out of order, or not behind {} up to {}", self.since, self.to));
        }
        event.put_into(&mut self.events)?;
        self.sequences.push(sequence);
        within("the trace", self.events.len(), TRACE_EVENTS_MAX, "events")?;
        within("the events", self.events.bytes(), TRACE_BYTES_MAX, "bytes")
    }

    fn end(&mut self, end: &End) -> Result<(), String> {
        let events = self.sequences.len() as u64;
        let (entries, faults) = match &mut self.made {
            Made::Projection(_, folded) => {
                folded.fuel = end.fuel.ok_or("the end says no fuel")?;
                folded.events = events - folded.faults.len() as u64;
                (Some(folded.entries.len() as u64), folded.faults.len() as u64)
            }
            Made::Upcaster(lifts) if lifts.len() as u64 != events => {
                return Err(format!("{events} events, but only {} of them lifted", lifts.len()));
            }
            Made::Upcaster(lifts) => (None, lifts.iter().filter(|lift| lift.made.is_err()).count() as u64),
        };
        for (what, said, found) in [
            ("events", Some(end.events), Some(events)),
            ("entries", end.entries, entries),
            ("faults", Some(end.faults), Some(faults)),
        ] {
            if said != found {
                let (said, found) = (said.unwrap_or_default(), found.unwrap_or_default());
                return Err(format!("it says {said} {what}, and there are {found}; lines are missing or were added"));
            }
        }
        let found = if self.is_format_1 { self.made.digest_of_format_1() } else { self.made.digest() };
        let said = digest(&end.digest)?;
        if said != found {
            return Err(format!(
                "the digest is that of another result ({}, not {}); undo what was edited, or record the trace again",
                said.short(),
                found.short()
            ));
        }
        self.is_over = true;
        Ok(())
    }

    fn finish(self) -> Trace {
        let Self { plugin, digest, since, to, events, made, .. } = self;
        Trace { plugin, digest, since, to, events: Arc::new(events.finish()), made }
    }
}

impl Made {
    fn is_empty(&self) -> bool {
        match self {
            Self::Projection(_, folded) => folded.entries.is_empty() && folded.faults.is_empty(),
            Self::Upcaster(lifts) => lifts.is_empty(),
        }
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|error: crate::event::ParseDigestError| error.to_string())
}

fn within(what: &str, found: usize, max: usize, unit: &str) -> Result<(), String> {
    if found > max { Err(format!("{what} have more than {max} {unit}")) } else { Ok(()) }
}

/// Without the place within the line, which is one of thousands.
fn said(error: serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line ").unwrap_or(text.len());
    format!("it is no line of a trace: {}", &text[..end])
}
