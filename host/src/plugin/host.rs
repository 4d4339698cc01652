//! What a plugin can reach during a call: its state, the batch in hand, its parameters and a log.

use std::ops::Range;
use std::sync::Arc;

use super::bill::Bill;
use super::call::{StateAccess, StateError};
use super::meter::Meter;
use super::wasi::Wasi;
use super::{Limits, LogLevel, Output};
use crate::event::{Batch, EventRef, Sequence};

/// The data of one instance.
pub(super) struct Host {
    pub(super) limits: Arc<Limits>,
    pub(super) bill: Bill,
    pub(super) meter: Meter,
    pub(super) wasi: Wasi,
    pub(super) output: Output,
    pub(super) fold: Option<Fold>,
}

/// What only a projection has, and only while it applies.
pub(super) struct Fold {
    pub(super) events: Arc<Batch>,
    pub(super) range: Range<usize>,
    pub(super) parameters: Arc<str>,
    pub(super) state: Box<dyn StateAccess>,
    pub(super) changed_bytes: usize,
}

/// Why the host ends a call; it travels through the trap as the error's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    /// The plugin broke a limit.
    #[error("{0}")]
    Limit(String),
    /// The plugin called what it must not.
    #[error("{0}")]
    Misuse(String),
    /// There is not enough fuel for what the plugin asked of the host.
    #[error("all fuel consumed by host calls")]
    OutOfFuel,
    /// The host itself failed.
    #[error("{0}")]
    Host(String),
}

/// A scan asks the state for so many entries at a time, so that large values do not come by the thousand.
const SCAN_CHUNK: usize = 64;

impl Host {
    pub(super) fn new(limits: &Arc<Limits>, fold: Option<Fold>) -> Self {
        Self {
            limits: Arc::clone(limits),
            bill: Bill::new(limits.host_call_prices),
            meter: Meter::new(limits),
            wasi: Wasi::new(limits.output_bytes),
            output: Output::default(),
            fold,
        }
    }

    /// Itself, for a function that the plugin imports: that costs something, whatever it does.
    pub(super) fn called(&mut self) -> &mut Self {
        self.bill.add(self.bill.prices.call);
        self
    }

    /// What the bytes cost that went through WASI since the last time.
    pub(super) fn take_wasi_bytes(&mut self) -> u64 {
        self.bill.prices.byte.saturating_mul(self.wasi.take_bytes())
    }

    pub(super) fn log(&mut self, level: LogLevel, text: String) -> Result<(), Stop> {
        self.bill.charge_bytes(text.len())?;
        self.output.log(&self.limits, level, text);
        Ok(())
    }

    pub(super) fn parameters(&mut self) -> Result<String, Stop> {
        let parameters = Arc::clone(&self.fold()?.parameters);
        self.bill.charge_bytes(parameters.len())?;
        Ok(parameters.to_string())
    }

    /// The event of this call that has this sequence.
    pub(super) fn event(&mut self, sequence: u64) -> Result<Option<EventRef<'_>>, Stop> {
        self.bill.charge(self.bill.prices.look_up)?;
        let fold = self.fold.as_mut().ok_or_else(no_fold)?;
        let rows = &fold.events.rows()[fold.range.clone()];
        let Ok(index) = rows.binary_search_by_key(&Sequence(sequence), |row| row.sequence) else { return Ok(None) };
        let event = fold.events.event(fold.range.start + index);
        self.bill.charge(self.bill.prices.converted_byte.saturating_mul(event.envelope_bytes().len() as u64))?;
        Ok(Some(event))
    }

    pub(super) fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Stop> {
        self.check_key(key)?;
        self.bill.charge(self.bill.prices.look_up)?;
        self.bill.charge_bytes(key.len())?;
        let value = self.fold()?.state.get(key).map_err(failed)?;
        self.bill.charge_bytes(value.as_ref().map_or(0, Vec::len))?;
        Ok(value)
    }

    pub(super) fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Stop> {
        let mut bytes = 0;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let value = self.get(key)?;
            bytes += value.as_ref().map_or(0, Vec::len);
            self.check("the values of one get-many have", bytes, self.limits.answer_bytes)?;
            values.push(value);
        }
        Ok(values)
    }

    pub(super) fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), Stop> {
        self.check_key(key)?;
        let value_bytes = value.as_ref().map_or(0, Vec::len);
        if value_bytes > self.limits.value_bytes {
            let what = format!("the value of key {} has", shown(key));
            return self.check(&what, value_bytes, self.limits.value_bytes);
        }
        self.bill.charge(self.bill.prices.change)?;
        self.bill.charge_bytes(key.len() + value_bytes)?;
        let fold = self.fold()?;
        fold.changed_bytes += key.len() + value_bytes;
        let changed_bytes = fold.changed_bytes;
        self.check("all changes of one call have", changed_bytes, self.limits.change_bytes)?;
        self.fold()?.state.put(key, value).map_err(failed)
    }

    pub(super) fn scan(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>, Stop> {
        // No key is longer, so a longer prefix is a mistake that a quiet empty answer would hide.
        for (what, text) in [("prefix", Some(prefix)), ("after", after)] {
            let bytes = text.map_or(0, str::len);
            self.check(&format!("the {what} of a scan has"), bytes, self.limits.key_bytes)?;
        }
        self.bill.charge(self.bill.prices.look_up)?;
        self.bill.charge_bytes(prefix.len() + after.map_or(0, str::len))?;
        let limit = (limit as usize).min(self.limits.scan_page);
        let bytes_max = self.limits.scan_bytes;
        let Self { fold, bill, .. } = self;
        let state = &mut fold.as_mut().ok_or_else(no_fold)?.state;
        let mut page: Vec<(String, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        while page.len() < limit {
            let after = page.last().map(|(key, _)| key.as_str()).or(after);
            let wanted = SCAN_CHUNK.min(limit - page.len());
            let chunk = state.scan(prefix, after, wanted).map_err(failed)?;
            let last = chunk.len() < wanted;
            for entry in chunk {
                let entry_bytes = entry.0.len() + entry.1.len();
                bill.charge(bill.prices.entry)?;
                bill.charge_bytes(entry_bytes)?;
                bytes += entry_bytes;
                page.push(entry);
                if bytes >= bytes_max {
                    return Ok(page);
                }
            }
            if last {
                break;
            }
        }
        Ok(page)
    }

    fn fold(&mut self) -> Result<&mut Fold, Stop> {
        self.fold.as_mut().ok_or_else(no_fold)
    }

    fn check_key(&self, key: &str) -> Result<(), Stop> {
        if key.is_empty() {
            return Err(Stop::Limit("a key is empty, it must have at least 1 byte".into()));
        }
        if key.len() > self.limits.key_bytes {
            return self.check(&format!("key {} has", shown(key)), key.len(), self.limits.key_bytes);
        }
        Ok(())
    }

    fn check(&self, what: &str, found: usize, max: usize) -> Result<(), Stop> {
        if found <= max {
            return Ok(());
        }
        let (found, max) = (grouped(found), grouped(max));
        Err(Stop::Limit(format!("{what} {found} bytes, at most {max} are allowed")))
    }
}

fn no_fold() -> Stop {
    Stop::Misuse("describe has no access to state or context".into())
}

fn failed(error: StateError) -> Stop {
    Stop::Host(error.to_string())
}

/// A key as a message shows it: quoted, and not longer than a line.
fn shown(key: &str) -> String {
    match key.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", &key[..end]),
        None => format!("{key:?}"),
    }
}

/// A number with its thousands set apart: `1,048,576`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Map(BTreeMap<String, Vec<u8>>);

    impl StateAccess for Map {
        fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
            Ok(self.0.get(key).cloned())
        }

        fn put(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), StateError> {
            match value {
                Some(value) => self.0.insert(key.to_owned(), value),
                None => self.0.remove(key),
            };
            Ok(())
        }

        fn scan(
            &mut self,
            prefix: &str,
            after: Option<&str>,
            limit: usize,
        ) -> Result<Vec<(String, Vec<u8>)>, StateError> {
            let all = self
                .0
                .iter()
                .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| *key.as_str() > *after));
            Ok(all.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
    }

    fn host(limits: Limits) -> Host {
        let fold = Fold {
            events: Arc::default(),
            range: 0..0,
            parameters: "{}".into(),
            state: Box::new(Map(BTreeMap::new())),
            changed_bytes: 0,
        };
        Host::new(&Arc::new(limits), Some(fold))
    }

    #[test]
    fn a_broken_limit_names_the_key_and_the_limit() {
        let mut host = host(Limits::default());
        let long = "k".repeat(1_300);
        let key = format!("{:?}…", "k".repeat(60));
        for (found, expected) in [
            (host.get(&long).unwrap_err(), format!("key {key} has 1,300 bytes, at most 1,024 are allowed")),
            (host.get("").unwrap_err(), "a key is empty, it must have at least 1 byte".into()),
            (
                host.put("a", Some(vec![0; (1 << 20) + 1])).unwrap_err(),
                "the value of key \"a\" has 1,048,577 bytes, at most 1,048,576 are allowed".into(),
            ),
            (
                host.scan(&long, None, 1).unwrap_err(),
                "the prefix of a scan has 1,300 bytes, at most 1,024 are allowed".into(),
            ),
        ] {
            assert_eq!(found, Stop::Limit(expected));
        }
    }

    #[test]
    fn changes_and_answers_are_bounded_in_sum() {
        let mut host = host(Limits { change_bytes: 10, answer_bytes: 10, ..Limits::default() });
        host.put("a", Some(vec![0; 9])).unwrap();
        assert!(matches!(host.put("b", None), Err(Stop::Limit(_))));
        host.get_many(&["a".into()]).unwrap();
        assert!(matches!(host.get_many(&["a".into(), "a".into()]), Err(Stop::Limit(_))));
    }

    #[test]
    fn a_scan_ends_at_its_limit_in_entries_or_bytes() {
        let mut host = host(Limits { scan_page: 150, scan_bytes: 1_000, ..Limits::default() });
        for number in 0..200 {
            host.put(&format!("k{number:03}"), Some(vec![])).unwrap();
        }
        host.put("large", Some(vec![0; 2_000])).unwrap();
        let keys = |page: Vec<(String, Vec<u8>)>| (page.len(), page.last().map(|(key, _)| key.clone()));
        assert_eq!(keys(host.scan("k", None, 10).unwrap()), (10, Some("k009".into())));
        assert_eq!(keys(host.scan("k", None, u32::MAX).unwrap()), (150, Some("k149".into())));
        assert_eq!(keys(host.scan("k", Some("k149"), u32::MAX).unwrap()), (50, Some("k199".into())));
        assert_eq!(keys(host.scan("", Some("k198"), u32::MAX).unwrap()), (2, Some("large".into())));
        assert_eq!(keys(host.scan("k", None, 0).unwrap()), (0, None));
    }

    #[test]
    fn describe_has_no_state() {
        let mut host = Host::new(&Arc::new(Limits::default()), None);
        assert!(matches!(host.get("a"), Err(Stop::Misuse(_))));
    }
}
