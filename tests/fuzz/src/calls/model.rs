//! What comes of a program: a map, the limits, and nothing of the host's code.

use std::collections::BTreeMap;
use std::ops::Range;

use polyfold::event::Batch;
use polyfold::plugin::{Limits, LogLevel, Output};
use polyfold::state::Overlay;

use super::program::{self, Op, TRANSCRIPT, Transcript};

/// How a call ends.
pub(super) enum Expected {
    Good,
    /// With a failure that says this.
    Bad(String),
    Anything,
}

/// The state as it should be, and what the call in hand said.
#[derive(Default)]
pub(super) struct Model {
    entries: BTreeMap<String, Vec<u8>>,
    said: Said,
}

#[derive(Default)]
struct Said {
    log: Vec<(LogLevel, String)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// A call under way.
struct Running<'a> {
    limits: Limits,
    entries: BTreeMap<String, Vec<u8>>,
    changed_bytes: usize,
    transcript: Transcript,
    batch: &'a Batch,
    range: Range<usize>,
    said: &'a mut Said,
}

impl Model {
    /// Runs the programs of these events as one call.
    pub(super) fn call(&mut self, batch: &Batch, range: Range<usize>, programs: &[&[u8]]) -> Expected {
        self.said = Said::default();
        let mut running = Running {
            limits: super::limits(),
            entries: self.entries.clone(),
            changed_bytes: 0,
            transcript: Transcript::default(),
            batch,
            range: range.clone(),
            said: &mut self.said,
        };
        for op in programs[range].iter().flat_map(|program| program::parse(program)) {
            if let Op::Raw { .. } = op {
                return Expected::Anything;
            }
            if let Err(why) = running.run(op) {
                return Expected::Bad(why);
            }
            running.transcript.end();
        }
        let transcript = std::mem::take(&mut running.transcript.0);
        if let Err(why) = running.put(TRANSCRIPT.to_owned(), Some(transcript)) {
            return Expected::Bad(why);
        }
        self.entries = running.entries;
        Expected::Good
    }

    /// Compares all entries. Where nothing is foretold, they are taken as they are, if they keep the limits.
    pub(super) fn check_state(&mut self, state: &Overlay, takes_anything: bool) {
        let found: BTreeMap<_, _> = state.scan("", None, usize::MAX).expect("memory can be read").into_iter().collect();
        if takes_anything {
            let limits = super::limits();
            let fits = |(key, value): (&String, &Vec<u8>)| {
                !key.is_empty() && key.len() <= limits.key_bytes && value.len() <= limits.value_bytes
            };
            assert!(found.iter().all(fits), "{found:?}");
            self.entries = found;
            return;
        }
        assert_eq!(found, self.entries);
    }

    pub(super) fn check_output(&self, output: &Output) {
        let limits = super::limits();
        let cut = |text: &str| match text.len() > limits.log_message_bytes {
            true => format!("{}…", &text[..text.floor_char_boundary(limits.log_message_bytes)]),
            false => text.to_owned(),
        };
        let kept = self.said.log.iter().take(limits.log_messages).map(|(level, text)| (*level, cut(text)));
        let found = output.log.iter().map(|message| (message.level, message.text.clone()));
        assert_eq!(found.collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        assert_eq!(output.log_dropped as usize, self.said.log.len().saturating_sub(limits.log_messages));
        for (found, dropped, said) in [
            (&output.stdout, output.stdout_dropped, &self.said.stdout),
            // Behind it stands what a panic says.
            (&output.stderr, output.stderr_dropped, &self.said.stderr),
        ] {
            let kept = said.len().min(limits.output_bytes);
            assert_eq!(found[..kept], said[..kept]);
            assert!(dropped as usize >= said.len() - kept && found.len() <= limits.output_bytes);
        }
    }
}

impl Running<'_> {
    fn run(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Get(key) => self.get(&key, &mut 0)?,
            Op::GetMany(keys) => {
                let mut bytes = 0;
                keys.iter().try_for_each(|key| self.get(key, &mut bytes))?;
            }
            Op::Put(key, value) => self.put(key, Some(value))?,
            Op::Delete(key) => self.put(key, None)?,
            Op::Write(changes) => changes.into_iter().try_for_each(|(key, value)| self.put(key, value))?,
            Op::Scan { prefix, after, limit } => self.scan(&prefix, after.as_deref(), limit)?,
            Op::Envelope(sequence) => self.envelope(sequence),
            Op::Parameters => self.transcript.bytes(super::PARAMETERS.as_bytes()),
            Op::Log(level, text) => {
                let levels = [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
                self.said.log.push((levels[usize::from(level)], text));
            }
            Op::Stdout(bytes) => self.said.stdout.extend(bytes),
            Op::Stderr(bytes) => self.said.stderr.extend(bytes),
            Op::Wasi(what) => self.transcript.number((what % 7 == 4 || what % 7 == 5).into()),
            Op::Raw { function, arguments } => unreachable!("nothing is foretold of {function} with {arguments:?}"),
            Op::Error(text) => return Err(text),
            Op::Trap => return Err("trap".to_owned()),
            Op::Exit => return Err("exit".to_owned()),
        }
        Ok(())
    }

    fn get(&mut self, key: &str, bytes: &mut usize) -> Result<(), String> {
        self.check_key(key)?;
        let value = self.entries.get(key);
        *bytes += value.map_or(0, Vec::len);
        if *bytes > self.limits.answer_bytes {
            return Err("the values of one get-many have".to_owned());
        }
        self.transcript.maybe(value.map(Vec::as_slice));
        Ok(())
    }

    fn put(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), String> {
        self.check_key(&key)?;
        let bytes = value.as_ref().map_or(0, Vec::len);
        if bytes > self.limits.value_bytes {
            return Err("the value of key".to_owned());
        }
        self.changed_bytes += key.len() + bytes;
        if self.changed_bytes > self.limits.change_bytes {
            return Err("all changes of one call have".to_owned());
        }
        match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
        Ok(())
    }

    fn check_key(&self, key: &str) -> Result<(), String> {
        match key.len() {
            0 => Err("a key is empty".to_owned()),
            bytes if bytes > self.limits.key_bytes => Err(format!("has {bytes} bytes, at most")),
            _ => Ok(()),
        }
    }

    fn scan(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<(), String> {
        if prefix.len() > self.limits.key_bytes {
            return Err("the prefix of a scan has".to_owned());
        }
        if after.is_some_and(|after| after.len() > self.limits.key_bytes) {
            return Err("the after of a scan has".to_owned());
        }
        let limit = self.limits.scan_page.min(limit as usize);
        let found = self.entries.iter().filter(|(key, _)| key.starts_with(prefix));
        let found = found.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after)).take(limit);
        let mut bytes = 0;
        for (key, value) in found {
            self.transcript.bytes(key.as_bytes());
            self.transcript.bytes(value);
            bytes += key.len() + value.len();
            if bytes >= self.limits.scan_bytes {
                break;
            }
        }
        Ok(())
    }

    fn envelope(&mut self, sequence: u64) {
        let index = sequence.wrapping_sub(1) as usize;
        if !self.range.contains(&index) {
            return self.transcript.number(0);
        }
        let to = &mut self.transcript;
        let envelope = self.batch.event(index).envelope().expect("it was just written");
        to.bytes(envelope.id.as_bytes());
        to.maybe(envelope.occurred_at.map(|time| time.micros().to_le_bytes()).as_ref().map(|bytes| &bytes[..]));
        for text in [envelope.actor, envelope.causation_id, envelope.correlation_id] {
            to.maybe(text.map(str::as_bytes));
        }
        for (name, value) in envelope.metadata {
            to.bytes(name.as_bytes());
            to.bytes(value.as_bytes());
        }
        envelope.tags.iter().for_each(|tag| to.bytes(tag.as_bytes()));
    }
}
