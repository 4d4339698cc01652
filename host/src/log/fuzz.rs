//! What must hold of any bytes that the log could find in its file; for fuzzing and for the tests that replay it.

use super::block::{self, Codec, Entry};
use super::bytes::seal;
use super::fold::Fold;
use super::index::page::Page;
use super::index::run::{Info, Kind, Run};
use super::record::{put_record, put_stub, record_at};
use super::tables::Meta;
use crate::event::{Envelope, Head, Sequence, Stored};

/// Takes a block without its checksum, which no fuzzer would find.
///
/// # Panics
/// If a block that opens says something that cannot be, or does not survive being written anew.
pub fn block(unsealed: &[u8]) {
    let mut sealed = unsealed.to_vec();
    seal(&mut sealed);
    let Ok(opened) = block::open(&sealed) else { return };
    let Ok(body) = opened.body() else { return };
    assert!(body.holds(opened.header.first) && body.holds(opened.header.last()));
    for index in 0..body.records {
        let Ok(entry) = body.entry(index) else { continue };
        let mut again = Vec::new();
        match entry {
            Entry::Event(_, record) => {
                let (stored, payload) = (&body.bytes[record.envelope.clone()], record.payload_of(&body.bytes));
                envelope(stored);
                match payload {
                    Stored::Whole(payload) => put_record(&mut again, stored, payload),
                    Stored::Dropped(dropped) => put_stub(&mut again, stored, dropped),
                }
                let read = record_at(&again, 0..again.len()).expect("what is written reads");
                assert_eq!(read.payload_of(&again), payload);
            }
            Entry::Folded(fold) => {
                assert!(body.holds(fold.first) && body.holds(fold.last));
                fold.put(&mut again);
                assert_eq!(Fold::at(&again, 0..again.len(), fold.first), Ok(Some(fold)));
            }
        }
    }
    let Ok(parts) = body.parts() else { return };
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let again = block::encode(&opened.header, &parts, codec);
        let again = block::open(&again).expect("what is written opens");
        assert_eq!(again.header, opened.header);
        assert_eq!(again.body().expect("what is written has a body").bytes, body.bytes);
    }
}

/// Takes the rows beside blocks: a page of an index, what is said of a run, and the meta row; without their checksums.
///
/// # Panics
/// If an entry of a page that opens cannot be read or refused, or a row does not survive being written anew.
pub fn index(unsealed: &[u8]) {
    let mut sealed = unsealed.to_vec();
    seal(&mut sealed);
    if let Ok(meta) = Meta::decode(&sealed) {
        assert_eq!(meta.encode()[4..sealed.len() - 16], sealed[4..sealed.len() - 16]);
        assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
    }
    if let Ok(info) = Info::decode(1, &sealed) {
        assert_eq!(info.encode(), sealed);
        assert_eq!(Run::new(info).pieces() as u64, info.filter_blocks.div_ceil(254));
    }
    let Ok(page) = Page::open(&sealed) else { return };
    for first in [1, u64::MAX] {
        let (first, last) = (Sequence(first), Sequence(u64::MAX));
        let info =
            Info { number: 1, kind: Kind::Streams, level: 0, first, last, entries: 1, filter_blocks: 1, bytes: 0 };
        let run = Run::new(info);
        for (key, value) in (0..page.len()).map(|index| page.entry(index)) {
            assert!(page.lower_bound(key) <= page.len());
            // Each is an answer or an error.
            let _ = run.sequence_of(value);
            let part = run.stream_of(value).map(|part| part.last_version());
            if let Ok(entry) = run.stream_entry(key, value) {
                assert!(entry.sequences.is_sorted() && !entry.sequences.is_empty());
                assert!(part.is_ok_and(|last| last >= entry.first_version || last.0 == u64::MAX - 1));
            }
        }
    }
}

/// Takes an envelope. There is one encoding of each, so what decodes is what would be written.
///
/// # Panics
/// If it is not.
pub fn envelope(bytes: &[u8]) {
    let Ok(envelope) = Envelope::decode(bytes) else { return };
    assert_eq!(Head::decode(bytes), Ok(envelope.head));
    let mut again = Vec::new();
    envelope.encode(&mut again);
    assert_eq!(again, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fuzzing starts from and what it found.
    #[test]
    fn blocks_hold_what_fuzzing_asks() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/blocks");
        let files = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
        let mut blocks = 0;
        for file in files {
            println!("{}", file.display());
            let mut bytes = std::fs::read(&file).unwrap();
            block(&bytes);
            index(&bytes);
            envelope(&bytes);
            seal(&mut bytes);
            blocks += usize::from(block::open(&bytes).is_ok_and(|opened| opened.body().is_ok()));
        }
        assert!(blocks >= 3, "a block of each codec");
    }
}
