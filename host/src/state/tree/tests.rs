//! The stored tree against one built from scratch, whatever was done in whatever order; and proofs, whole and spoilt.

use std::collections::BTreeMap;

use super::cut::tests::ranking;
use super::node::{ITEMS_MAX, Node};
use super::*;
use crate::event::Digest;
use crate::state::{Changes, Checkpoint, Entry, Marks, Reader, StateDigest, Store};

type Model = BTreeMap<String, Vec<u8>>;

fn store() -> Store {
    Store::open_with_backend(crate::crash::CrashingDisk::default(), Digest::ZERO, [0; 16]).unwrap()
}

fn random() -> fastrand::Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

fn digest_of<'a>(entries: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) -> Digest {
    let mut digest = StateDigest::default();
    entries.into_iter().for_each(|(key, value)| digest.add(key, value));
    digest.finish()
}

fn commit(store: &Store, model: &mut Model, changes: Vec<(String, Option<Vec<u8>>)>) {
    let mut all = Changes::default();
    for (key, value) in changes {
        match value.clone() {
            Some(value) => drop(model.insert(key.clone(), value)),
            None => drop(model.remove(&key)),
        }
        all.set(key, value);
    }
    store.commit(&all, Checkpoint::default(), &Marks::default()).unwrap();
}

/// Holds the stored tree to the model: node by node, by its root, and by a proof for some keys.
fn compare(what: &str, store: &Store, model: &Model, asked: &[String]) {
    let reader = store.reader().unwrap();
    assert!(reader.has_tree(), "{what}");
    assert_eq!(reader.check_tree().unwrap(), None, "{what}");
    let root = reader.digest().unwrap();
    assert_eq!(root, digest_of(model), "{what}");
    let bytes = model.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
    let totals = Totals { entries: model.len() as u64, bytes };
    assert_eq!(reader.totals().unwrap(), totals, "{what}");
    for key in asked {
        let proof = prove(&reader, key);
        assert_eq!(proof.check(root, key), Ok(model.get(key).map(|value| ValueDigest::of(value))), "{what}: {key}");
        assert_eq!(proof.totals(), totals, "{what}");
        assert_eq!(reader.get_verified(key).unwrap().as_ref(), model.get(key), "{what}: {key}");
    }
}

/// A proof that went through bytes, and is the same from stored nodes and from the entries.
fn prove(reader: &Reader, key: &str) -> EntryProof {
    let proof = reader.prove(key).unwrap();
    assert_eq!(check::prove_from_entries(&reader.entries, key).unwrap(), proof);
    let bytes = proof.to_bytes();
    let read = EntryProof::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.to_bytes()), (&proof, bytes));
    read
}

/// Random commits over a set of keys, few and many changes at a time, that fill the state and empty it again.
fn run(what: &str, keys: &[String], random: &mut fastrand::Rng) {
    let (store, mut model) = (store(), Model::new());
    for round in 0..60 {
        let fills = (round / 15) % 2 == 0;
        let count = if random.u8(0..4) == 0 { random.usize(0..=keys.len()) } else { random.usize(1..6) };
        let changes = (0..count).map(|_| {
            let key = keys[random.usize(0..keys.len())].clone();
            let stays = random.u8(0..8) > if fills { 1 } else { 5 };
            (key, stays.then(|| vec![random.u8(..); random.usize(0..5)]))
        });
        let mut changes: Vec<_> = changes.collect();
        if round == 59 {
            changes.extend(keys.iter().map(|key| (key.clone(), None)));
        }
        commit(&store, &mut model, changes);
        let asked: Vec<String> = (0..4).map(|_| keys[random.usize(0..keys.len())].clone()).collect();
        compare(&format!("{what}, round {round}"), &store, &model, &asked);
    }
    assert_eq!(store.reader().unwrap().digest().unwrap(), StateDigest::default().finish());
}

#[test]
fn the_tree_is_that_of_the_entries_whatever_was_done() {
    let mut random = random();
    let some: Vec<String> = (0..400).map(|_| random.u32(..).to_string()).collect();
    run("some", &some, &mut random);
    run("few", &some[..40], &mut random);
    run("one", &some[..1], &mut random);
    let alike = (0..300).map(|at| format!("{}/{at}", "p".repeat(1_000)));
    run("long and alike", &alike.collect::<Vec<_>>(), &mut random);
    let odd = ["", "\0", "\0\0", "\u{10ffff}", "\u{ffff}", "é", "z", "zz"];
    run("odd", &odd.map(str::to_owned), &mut random);
    run("rising", &(0..300).map(|at| ranking(at, at, 300)).collect::<Vec<_>>(), &mut random);
    run("falling", &(0..300).map(|at| ranking(at, 299 - at, 300)).collect::<Vec<_>>(), &mut random);
    let valley = |at: u64| ranking(at, if at < 150 { 299 - 2 * at } else { 2 * at - 300 }, 300);
    run("falling and rising", &(0..300).map(valley).collect::<Vec<_>>(), &mut random);
    let hill = |at: u64| ranking(at, if at < 150 { 2 * at } else { 599 - 2 * at }, 300);
    run("rising and falling", &(0..300).map(hill).collect::<Vec<_>>(), &mut random);
}

/// Every single insertion and removal, around cuts above all.
#[test]
fn one_key_more_or_less_moves_only_near_cuts() {
    let mut random = random();
    let keys: Vec<String> = (0..600).map(|at| format!("{at:04}")).collect();
    let (store, mut model) = (store(), Model::new());
    commit(&store, &mut model, keys.iter().map(|key| (key.clone(), Some(vec![1]))).collect());
    for key in &keys {
        let before = rows(&store);
        commit(&store, &mut model, vec![(key.clone(), None)]);
        compare(key, &store, &model, std::slice::from_ref(key));
        let lost = before.iter().filter(|row| !rows(&store).contains(row)).count();
        assert!(lost <= 3 * 8, "{key}: {lost} nodes of {}", before.len());
        if random.bool() {
            commit(&store, &mut model, vec![(key.clone(), Some(vec![2]))]);
            compare(key, &store, &model, std::slice::from_ref(key));
        }
    }
}

fn rows(store: &Store) -> Vec<Vec<u8>> {
    use redb::ReadableTable as _;
    let reader = store.reader().unwrap();
    reader.nodes.iter().unwrap().map(|row| row.unwrap().1.value().to_vec()).collect()
}

#[test]
fn a_tree_left_behind_is_built_and_says_the_same_before() {
    let mut random = random();
    let (store, mut model) = (store(), Model::new());
    for round in 0..6 {
        let entries: Vec<Entry> = (0..500).map(|_| (random.u16(..).to_string(), vec![random.u8(..)])).collect();
        let mut changes = Changes::default();
        entries.iter().for_each(|(key, value)| changes.set(key.clone(), Some(value.clone())));
        model.extend(entries);
        store.commit_on_the_way(&changes, Checkpoint::default(), &Marks::default()).unwrap();
        let reader = store.reader().unwrap();
        assert!(!reader.has_tree());
        assert_eq!(reader.digest().unwrap(), digest_of(&model));
        let key = model.keys().nth(random.usize(0..model.len())).unwrap();
        assert_eq!(prove(&reader, key).check(digest_of(&model), key), Ok(Some(ValueDigest::of(&model[key]))));
        // It stays behind whatever comes, until it is built.
        commit(&store, &mut model, vec![(round.to_string(), Some(vec![1]))]);
        assert!(!store.reader().unwrap().has_tree());
        if round % 2 == 1 {
            store.build_tree().unwrap();
            compare("built", &store, &model, &[]);
        }
    }
    // One change among so many is no reason to leave it behind.
    let mut one = Changes::default();
    one.set("0".to_owned(), None);
    model.remove("0");
    store.commit_on_the_way(&one, Checkpoint::default(), &Marks::default()).unwrap();
    compare("kept", &store, &model, &["0".to_owned()]);
}

fn entries(count: usize) -> Model {
    (0..count).map(|at| (format!("key/{at:05}"), format!("value {at}").into_bytes())).collect()
}

/// What these are must never change: receipts name them.
#[test]
fn roots_stay_what_they_were() {
    let roots = [0, 1, 2, 32, 33, 1_000].map(|count| digest_of(&entries(count)).to_string());
    expect_test::expect![[r#"
        [
            "1db49a235d0e66d389d6a39c5f7d29eb5755194e7572cdc5696029ddd03e695e",
            "86427d1157bbc36def8284a74608ba2da7d2fcd43dcc0a8910b03e44170c6edd",
            "a01c160a806040907401b07cf3ea52a5eca6d4f030dadee077c22962f3d584cb",
            "935ce14aecf9fe7a9e2bdfb95efcad924afe4e28943dcd0c254e6efa5dc5aad2",
            "34491ad02cc8a5796d8fe70fc81e27c1fb2e508056b4d9c76fe746cdf9ee1072",
            "a928f89801f963f13597f90adcbd338758fd3d1dfc5ed5175a71cc98527c52a8",
        ]
    "#]]
    .assert_debug_eq(&roots);
}

#[test]
fn a_proof_with_another_byte_proves_nothing() {
    let mut random = random();
    let model = entries(2_000);
    let (store, mut same) = (store(), Model::new());
    commit(&store, &mut same, model.clone().into_iter().map(|(key, value)| (key, Some(value))).collect());
    let reader = store.reader().unwrap();
    let root = reader.digest().unwrap();
    for key in ["key/00000", "key/01234", "key/01999", "", "key/01234x", "z"] {
        let bytes = reader.prove(key).unwrap().to_bytes();
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= random.u8(1..);
            let checked = EntryProof::from_bytes(&spoilt).and_then(|proof| proof.check(root, key));
            assert!(checked.is_err(), "{key}, byte {at}: {checked:?}");
        }
        (0..bytes.len()).for_each(|end| assert!(EntryProof::from_bytes(&bytes[..end]).is_err(), "cut at {end}"));
        assert!(EntryProof::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        assert!(EntryProof::from_bytes(&bytes).unwrap().check(Digest::ZERO, key).is_err());
    }
    assert_eq!(EntryProof::from_bytes(&vec![0; PROOF_BYTES_MAX + 1]), Err(InvalidProof::TooLarge(PROOF_BYTES_MAX + 1)));
}

/// A proof for one key is none for another, unless both are on the same way: then it says the truth.
#[test]
fn a_proof_of_one_key_says_nothing_false_of_another() {
    let model = entries(500);
    let (store, mut same) = (store(), Model::new());
    commit(&store, &mut same, model.clone().into_iter().map(|(key, value)| (key, Some(value))).collect());
    let reader = store.reader().unwrap();
    let root = reader.digest().unwrap();
    let proof = reader.prove("key/00250").unwrap();
    let (mut said, mut refused) = (0, 0);
    for (key, value) in &model {
        match proof.check(root, key) {
            Ok(found) => {
                assert_eq!(found, Some(ValueDigest::of(value)), "{key}");
                said += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!((1..=ITEMS_MAX).contains(&said) && refused > 0, "{said} said, {refused} refused");
}

/// Who makes a tree of their own cannot hide an entry from its proof: a child must stay within its parent's keys.
#[test]
fn a_node_that_reaches_into_its_neighbour_is_refused() {
    let leaf = |keys: &[&str]| Node { level: 0, items: keys.iter().map(|key| Item::of_entry(key, b"")).collect() };
    let (left, right) = (leaf(&["a", "x"]), leaf(&["m"]));
    let above = |node: &Node| node.summary(&node.encode());
    let top = Node { level: 1, items: vec![above(&left), above(&right)] };
    let root = above(&top).digest;
    let proof = EntryProof::new(vec![top.clone(), left]);
    assert_eq!(proof.check(root, "b"), Err(InvalidProof::OtherNode { level: 0 }));
    assert_eq!(EntryProof::new(vec![top, right]).check(root, "x"), Ok(None));
}

/// Writes to the tables behind the tree's back.
fn spoil(store: &Store, work: impl FnOnce(&redb::WriteTransaction)) {
    let transaction = store.db.begin_write().unwrap();
    work(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn what_changes_behind_the_trees_back_is_named() {
    use crate::state::store::ENTRIES;
    let spoilt = |work: &dyn Fn(&redb::WriteTransaction)| {
        let (store, mut model) = (store(), Model::new());
        commit(&store, &mut model, entries(500).into_iter().map(|(key, value)| (key, Some(value))).collect());
        assert_eq!(store.reader().unwrap().check_tree().unwrap(), None);
        spoil(&store, work);
        store
    };
    let entry = |key: &str| Some(Disagreement::Entry { key: key.to_owned() });
    let changed = spoilt(&|it| drop(it.open_table(ENTRIES).unwrap().insert("key/00123", b"falue 123".as_slice())));
    let reader = changed.reader().unwrap();
    assert_eq!(reader.check_tree().unwrap(), entry("key/00123"));
    let refused = reader.get_verified("key/00123").unwrap_err().to_string();
    assert!(refused.contains("the entry \"key/00123\" is not as its digest in the tree says"), "{refused}");
    assert!(reader.get_verified("key/00124").unwrap().is_some());
    let gone = spoilt(&|it| drop(it.open_table(ENTRIES).unwrap().remove("key/00123")));
    assert_eq!(gone.reader().unwrap().check_tree().unwrap(), entry("key/00123"));
    assert!(gone.reader().unwrap().get_verified("key/00123").is_err());
    let more = spoilt(&|it| drop(it.open_table(ENTRIES).unwrap().insert("key/00123a", b"".as_slice())));
    assert_eq!(more.reader().unwrap().check_tree().unwrap(), entry("key/00123a"));
    let surplus = spoilt(&|it| drop(it.open_table(TREE).unwrap().insert((3, "x"), b"".as_slice())));
    assert_eq!(surplus.reader().unwrap().check_tree().unwrap(), Some(Disagreement::Surplus { nodes: 1 }));
    let lost = spoilt(&|it| drop(it.open_table(TREE).unwrap().remove((0, "key/00000"))));
    let node = Disagreement::Node { level: 0, key: "key/00000".to_owned() };
    assert_eq!(lost.reader().unwrap().check_tree().unwrap(), Some(node));
    let refused = lost.reader().unwrap().prove("key/00000").unwrap_err().to_string();
    assert!(refused.contains("it is damaged"), "{refused}");
}
