//! Making receipts and proofs: all of one is taken from one snapshot, so it fits together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::{VERSION, hex};
use super::{Document, LogReceipt, ProvedEntry, ProvedEvent, ProvedValue, Receipt, StateReceipt, faults_digest};
use crate::engine::{Deployment, Engine, Error, Snapshot};
use crate::event::{Dropped, EventRef, Filter, Sequence, Stored, Timestamp};
use crate::log::Query;

impl Engine {
    /// The host's public key, as 64 hexadecimal digits; the key is made on first use.
    pub fn host_key(&self) -> Result<String, Error> {
        Ok(hex(self.key.key()?.verifying_key().as_bytes()))
    }

    /// Signs what the readable state of a projection is at its checkpoint.
    pub fn receipt(&self, name: &str, made_at: Timestamp) -> Result<Document, Error> {
        let (snapshot, deployment) = self.deployed(name)?;
        self.sign(&Receipt::State(Box::new(self.state_receipt(name, &snapshot, deployment, made_at)?)))
    }

    /// Signs the same, and proves what the state holds under a key, or that it holds nothing there.
    pub fn prove_entry(&self, name: &str, key: &str, made_at: Timestamp) -> Result<Document, Error> {
        let (snapshot, deployment) = self.deployed(name)?;
        let receipt = self.state_receipt(name, &snapshot, deployment, made_at)?;
        let value = snapshot.reader.get_verified(key)?.map(|value| ProvedValue::of(&value));
        let path = STANDARD.encode(snapshot.reader.prove(key)?.to_bytes());
        let entry = ProvedEntry { key: key.to_owned(), value, path };
        Ok(self.sign(&Receipt::State(Box::new(receipt)))?.with_entry(entry))
    }

    /// Signs where the log ends, and proves that an event is in it.
    pub fn prove_event(&self, sequence: Sequence, with_payload: bool, made_at: Timestamp) -> Result<Document, Error> {
        let head = self.log().head();
        let receipt = Receipt::Log(LogReceipt {
            version: VERSION,
            log_id: self.log().id().to_string(),
            sequence: head.sequence.0,
            chain_head: head.chain,
            event_root: self.log().event_root(head.sequence)?,
            made_at: made_at.to_string(),
        });
        let event = self.with_event(sequence, |event| {
            let payload = match event.payload {
                _ if !with_payload => None,
                Stored::Whole(payload) => Some(STANDARD.encode(payload)),
                Stored::Dropped(Dropped { why, .. }) => return Err(Error::PayloadDropped { sequence, why }),
            };
            let envelope = STANDARD.encode(event.envelope_bytes());
            let (payload_digest, path) = (event.payload.digest(), Vec::new());
            Ok(ProvedEvent { sequence: sequence.0, envelope, payload_digest, payload, path })
        })??;
        let path = self.log().prove_event(sequence, head.sequence)?.path;
        Ok(self.sign(&receipt)?.with_event(ProvedEvent { path, ..event }))
    }

    /// The stream of an event.
    pub fn stream_of(&self, sequence: Sequence) -> Result<String, Error> {
        self.with_event(sequence, |event| event.stream.to_owned())
    }

    fn with_event<T>(&self, sequence: Sequence, read: impl FnOnce(EventRef<'_>) -> T) -> Result<T, Error> {
        let query = Query { from: sequence, to: Some(sequence), filter: Filter::all() };
        let page = self.log().reader()?.read(&query, 1, 1)?;
        match page.batch.find(sequence) {
            Some(event) => Ok(read(event)),
            None if !page.folded.is_empty() => Err(Error::EventFolded { sequence }),
            None => Err(Error::UnknownEvent { sequence, head: self.log().head().sequence }),
        }
    }

    /// The readable state as it is now, and what it was made with.
    fn deployed(&self, name: &str) -> Result<(Snapshot, Deployment), Error> {
        loop {
            let (snapshot, deployment) = (self.snapshot(name)?, self.projection(name)?.readable().clone());
            // Else another state took over in between.
            if deployment.identity() == snapshot.identity {
                return Ok((snapshot, deployment));
            }
        }
    }

    fn state_receipt(
        &self,
        name: &str,
        snapshot: &Snapshot,
        deployment: Deployment,
        made_at: Timestamp,
    ) -> Result<StateReceipt, Error> {
        let (reader, checkpoint) = (&snapshot.reader, snapshot.checkpoint);
        let chain_head = self.log().reader()?.chain_at(checkpoint.sequence)?;
        if checkpoint.sequence > Sequence::ZERO && chain_head != checkpoint.chain {
            return Err(Error::OtherHistory { name: name.to_owned(), checkpoint: checkpoint.sequence });
        }
        let mut faults = reader.faults()?;
        // That at which a state halted lies behind what it speaks of.
        faults.retain(|fault| fault.sequence <= checkpoint.sequence.0);
        let totals = reader.totals()?;
        Ok(StateReceipt {
            version: VERSION,
            log_id: self.log().id().to_string(),
            sequence: checkpoint.sequence.0,
            chain_head,
            event_root: self.log().event_root(checkpoint.sequence)?,
            projection: name.to_owned(),
            identity: snapshot.identity,
            deployment,
            state_digest: reader.digest()?,
            entries: totals.entries,
            entry_bytes: totals.bytes,
            faults: faults.len() as u64,
            faults_digest: faults_digest(&faults),
            fuel: checkpoint.fuel,
            made_at: made_at.to_string(),
        })
    }

    fn sign(&self, receipt: &Receipt) -> Result<Document, Error> {
        Ok(Document::sign(receipt, &self.key.key()?))
    }
}
