//! Many events at once, as rows over shared buffers: reading a batch allocates a few times, not once an event.

use std::sync::Arc;

use super::{DecodeError, Digest, Envelope, Head, SchemaVersion, Sequence, Timestamp, Version};

/// Why a payload is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A retention policy let it go; an archive may have it.
    Compacted,
    /// Somebody redacted this event.
    Redacted,
    /// The key of its stream was deleted.
    Forgotten,
}

impl Why {
    /// Whether it is gone for good, on purpose: no archive may bring it back.
    pub fn is_erased(self) -> bool {
        match self {
            Self::Compacted => false,
            Self::Redacted | Self::Forgotten => true,
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Compacted => "compacted",
            Self::Redacted => "redacted",
            Self::Forgotten => "forgotten",
        })
    }
}

/// What is left of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    pub why: Why,
    /// How long it was.
    pub bytes: u32,
    /// What the chain has of it.
    pub digest: Digest,
}

/// A payload as the log has it: `P` is where it lies or what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<P> {
    Whole(P),
    Dropped(Dropped),
}

impl<P> Stored<P> {
    pub fn whole(self) -> Option<P> {
        match self {
            Self::Whole(payload) => Some(payload),
            Self::Dropped(_) => None,
        }
    }

    pub fn dropped(self) -> Option<Dropped> {
        match self {
            Self::Whole(_) => None,
            Self::Dropped(dropped) => Some(dropped),
        }
    }
}

impl Stored<Span> {
    /// The bytes that are there.
    pub fn bytes(self) -> usize {
        self.whole().map_or(0, Span::bytes)
    }
}

impl Stored<&[u8]> {
    /// The digest of the payload, whether it is there or not.
    pub fn digest(self) -> Digest {
        match self {
            Self::Whole(payload) => Digest::of(payload),
            Self::Dropped(dropped) => dropped.digest,
        }
    }
}

/// A range of bytes in one of a batch's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    buffer: u32,
    start: u32,
    end: u32,
}

impl Span {
    /// How many bytes lie in it.
    pub fn bytes(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// One event of a batch: its numbers, and where its texts and bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub sequence: Sequence,
    pub version: Version,
    pub schema_version: SchemaVersion,
    pub recorded_at: Timestamp,
    pub stream: Span,
    pub event_type: Span,
    /// The envelope as stored; upcasting changes the fields above but never this.
    pub envelope: Span,
    pub payload: Stored<Span>,
    /// Whether the payload is still encrypted.
    pub is_encrypted: bool,
}

/// Events in order of sequence.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    buffers: Vec<Arc<[u8]>>,
    rows: Vec<Row>,
    payload_bytes: usize,
    /// How many rows have no payload.
    dropped: usize,
    /// How many have one that is still encrypted.
    encrypted: usize,
}

/// An event of a batch, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    pub sequence: Sequence,
    pub version: Version,
    pub schema_version: SchemaVersion,
    pub recorded_at: Timestamp,
    pub stream: &'a str,
    pub event_type: &'a str,
    pub payload: Stored<&'a [u8]>,
    /// Whether the payload is still encrypted.
    pub is_encrypted: bool,
    envelope: &'a [u8],
}

impl Batch {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The size of all payloads together.
    pub fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Whether there is a payload that is still encrypted.
    pub fn has_encrypted(&self) -> bool {
        self.encrypted > 0
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Adds a buffer that rows may point into and returns its number.
    pub fn add_buffer(&mut self, buffer: Arc<[u8]>) -> u32 {
        assert!(u32::try_from(buffer.len()).is_ok(), "a buffer is far below 4 GiB");
        self.buffers.push(buffer);
        (self.buffers.len() - 1) as u32
    }

    /// Where `part`, a slice of the buffer with that number, lies.
    ///
    /// # Panics
    /// If `part` is no slice of that buffer.
    pub fn span_of(&self, buffer: u32, part: &[u8]) -> Span {
        let whole = &self.buffers[buffer as usize];
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).expect("the part lies in the buffer");
        assert!(start + part.len() <= whole.len(), "the part lies in the buffer");
        Span { buffer, start: start as u32, end: (start + part.len()) as u32 }
    }

    /// A range of the buffer with that number.
    ///
    /// # Panics
    /// If the range does not lie in that buffer.
    pub fn span(&self, buffer: u32, range: std::ops::Range<usize>) -> Span {
        assert!(self.buffers[buffer as usize].get(range.clone()).is_some(), "the range lies in the buffer");
        Span { buffer, start: range.start as u32, end: range.end as u32 }
    }

    /// Whether every event has its payload.
    pub fn is_whole(&self) -> bool {
        self.dropped == 0
    }

    /// Adds an event whose stored envelope and payload lie in the buffer at these ranges, if `wanted` says so.
    /// Returns whether it was added.
    pub fn push_stored(
        &mut self,
        buffer: u32,
        envelope: std::ops::Range<usize>,
        payload: Stored<std::ops::Range<usize>>,
        wanted: impl FnOnce(&Head) -> bool,
    ) -> Result<bool, DecodeError> {
        let whole = Arc::clone(&self.buffers[buffer as usize]);
        let head = Head::decode(&whole[envelope.clone()])?;
        if !wanted(&head) {
            return Ok(false);
        }
        let span = |range: std::ops::Range<usize>| Span { buffer, start: range.start as u32, end: range.end as u32 };
        let is_encrypted = head.is_encrypted && matches!(payload, Stored::Whole(_));
        self.push(Row {
            sequence: head.sequence,
            version: head.version,
            schema_version: head.schema_version,
            recorded_at: head.recorded_at,
            stream: self.span_of(buffer, head.stream.as_bytes()),
            event_type: self.span_of(buffer, head.event_type.as_bytes()),
            envelope: span(envelope),
            payload: match payload {
                Stored::Whole(range) => Stored::Whole(span(range)),
                Stored::Dropped(dropped) => Stored::Dropped(dropped),
            },
            is_encrypted,
        });
        Ok(true)
    }

    /// Adds a row whose spans point into this batch's buffers.
    pub fn push(&mut self, row: Row) {
        self.count(&row);
        self.rows.push(row);
    }

    fn count(&mut self, row: &Row) {
        match row.payload {
            Stored::Whole(span) => self.payload_bytes += span.bytes(),
            Stored::Dropped(_) => self.dropped += 1,
        }
        self.encrypted += usize::from(row.is_encrypted);
    }

    /// Replaces a row, as an upcaster does.
    pub fn replace(&mut self, index: usize, row: Row) {
        let old = std::mem::replace(&mut self.rows[index], row);
        self.encrypted -= usize::from(old.is_encrypted);
        match old.payload {
            Stored::Whole(span) => self.payload_bytes -= span.bytes(),
            Stored::Dropped(_) => self.dropped -= 1,
        }
        self.count(&row);
    }

    /// The same buffers with only the rows in this range.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self { buffers: self.buffers.clone(), rows: self.rows[range].to_vec(), ..Self::default() };
        for index in 0..part.rows.len() {
            let row = part.rows[index];
            part.count(&row);
        }
        part
    }

    /// The same buffers with only the rows that `keep` names.
    pub fn filtered(&self, keep: impl Fn(EventRef<'_>) -> bool) -> Self {
        let rows = Vec::with_capacity(self.len());
        let mut kept = Self { buffers: self.buffers.clone(), rows, ..Self::default() };
        for (index, row) in self.rows.iter().enumerate() {
            if keep(self.event(index)) {
                kept.push(*row);
            }
        }
        kept
    }

    pub fn event(&self, index: usize) -> EventRef<'_> {
        let row = &self.rows[index];
        EventRef {
            sequence: row.sequence,
            version: row.version,
            schema_version: row.schema_version,
            recorded_at: row.recorded_at,
            stream: self.text(row.stream),
            event_type: self.text(row.event_type),
            payload: match row.payload {
                Stored::Whole(span) => Stored::Whole(self.bytes(span)),
                Stored::Dropped(dropped) => Stored::Dropped(dropped),
            },
            envelope: self.bytes(row.envelope),
            is_encrypted: row.is_encrypted,
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = EventRef<'_>> {
        (0..self.len()).map(|index| self.event(index))
    }

    /// The event with that sequence, if it is in this batch.
    pub fn find(&self, sequence: Sequence) -> Option<EventRef<'_>> {
        let index = self.rows.binary_search_by_key(&sequence, |row| row.sequence).ok()?;
        Some(self.event(index))
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.buffers[span.buffer as usize][span.start as usize..span.end as usize]
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).expect("rows are made from text")
    }
}

impl<'a> EventRef<'a> {
    /// The whole envelope as it was stored, before any upcaster.
    pub fn envelope(&self) -> Result<Envelope<'a>, DecodeError> {
        Envelope::decode(self.envelope)
    }

    /// The payload, if the log still has it.
    pub fn payload(&self) -> Option<&'a [u8]> {
        self.payload.whole()
    }

    /// The envelope's canonical bytes, as the chain digests them.
    pub fn envelope_bytes(&self) -> &'a [u8] {
        self.envelope
    }
}
