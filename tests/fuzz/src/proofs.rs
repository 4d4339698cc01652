//! Proofs of entries, as anybody may have sent them.
//!
//! Real proofs of a small state are bent: what still passes the check says the truth of the key, or there is a forgery.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use polyfold::event::Digest;
use polyfold::state::{Changes, Checkpoint, EntryProof, InvalidProof, Marks, Reader, Store, ValueDigest};

use crate::bend::bent;

/// The key that is asked for, the key whose proof is bent, and the bends; the same bytes also as a proof.
pub fn run(data: &[u8]) {
    check_form(data);
    let Some((&[asked, proven], bends)) = data.split_first_chunk() else { return };
    let (asked, proven) = (key(asked), key(proven));
    let proof = STATE.reader.prove(&proven).expect("a state proves what it has").to_bytes();
    let bytes = bent(&proof, bends);
    check_form(&bytes);
    let Ok(proof) = EntryProof::from_bytes(&bytes) else { return };
    if let Ok(answer) = proof.check(STATE.root, &asked) {
        assert_eq!(answer, STATE.entries.get(&asked).map(|value| ValueDigest::of(value)), "{asked:?}");
    }
}

/// What is read is what would be written, and any question has an answer or an error.
fn check_form(bytes: &[u8]) {
    let Ok(proof) = EntryProof::from_bytes(bytes) else { return };
    assert_eq!(proof.to_bytes(), bytes);
    let Err(InvalidProof::OtherRoot { found, .. }) = proof.check(Digest::ZERO, "") else {
        panic!("nothing has the digest 0");
    };
    for asked in ["", "k007", "\u{10ffff}"] {
        let _ = proof.check(found, asked);
    }
}

struct State {
    reader: Reader,
    root: Digest,
    entries: BTreeMap<String, Vec<u8>>,
}

/// Of 200 keys every second one; the state's tree has three levels.
static STATE: LazyLock<State> = LazyLock::new(|| {
    let entries: BTreeMap<_, _> = (0..200).step_by(2).map(|number| (key(number), vec![number; 3])).collect();
    let mut changes = Changes::default();
    for (key, value) in &entries {
        changes.set(key.clone(), Some(value.clone()));
    }
    let dir = std::env::temp_dir().join(format!("polyfold-fuzz-proofs-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder for temporary files takes one");
    let store = Store::open(&dir.join("state.redb"), Digest::ZERO, [0; 16]).expect("a new state opens");
    store.commit(&changes, Checkpoint::default(), &Marks::default()).expect("it takes changes");
    let reader = store.reader().expect("it can be read");
    // What is open stays there for who has it.
    std::fs::remove_dir_all(&dir).expect("its own folder");
    let root = reader.digest().expect("it has a root");
    State { reader, root, entries }
});

fn key(number: u8) -> String {
    format!("k{number:03}")
}
