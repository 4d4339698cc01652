//! Receipts and proofs with the real program: made in one data directory, checked in another that has only the log and the
//! plugins; whatever is changed, the check names it.

mod hostile;

use std::path::{Path, PathBuf};

use expect_test::expect;
use polyfold::event::Digest;
use polyfold::state::{Changes, Marks, Store};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde_json::{Value, json};

use crate::host::flights;
use crate::program::Environment;

/// A directory with 400 flights and what `on-time` makes of them.
fn made() -> Environment {
    let made = Environment::new();
    made.install(&["flights-v2", "on-time"]);
    let events = made.file("flights.ndjson", flights(400).as_bytes());
    made.ok(&["import", events.to_str().unwrap()]);
    made.ok(&["projection", "create", "on-time"]);
    made
}

impl Environment {
    fn make(&self, file: &str, command: &[&str]) -> PathBuf {
        let path = self.files.path().join(file);
        self.ok(&[command, &["--output", path.to_str().unwrap()]].concat());
        path
    }

    fn check(&self, document: &Path, more: &[&str]) -> String {
        self.run(&[&["receipt", "check", document.to_str().unwrap()], more].concat())
            .replace(&*document.to_string_lossy(), "DOCUMENT")
    }

    fn plugins(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.dir.path().join("plugins")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// Another directory, with a copy of the log and of the plugins, and nothing else.
fn copy_of(made: &Environment) -> Environment {
    let copy = Environment::new();
    std::fs::copy(made.dir.path().join("log.redb"), copy.dir.path().join("log.redb")).unwrap();
    std::fs::create_dir(copy.dir.path().join("plugins")).unwrap();
    for plugin in made.plugins() {
        std::fs::copy(&plugin, copy.dir.path().join("plugins").join(plugin.file_name().unwrap())).unwrap();
    }
    copy
}

/// Changes a document that was written as JSON.
fn changed(path: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut document);
    let other = path.with_extension("changed.json");
    std::fs::write(&other, document.to_string()).unwrap();
    other
}

/// The error and the exit code.
fn end_of(said: &str) -> String {
    said.lines().skip_while(|line| !line.starts_with("! error: ")).collect::<Vec<_>>().join("\n")
}

fn key_of(made: &Environment) -> String {
    made.ok(&["receipt", "key"]).trim().to_owned()
}

#[test]
fn a_receipt_is_checked_with_nothing_but_the_log_and_the_plugins() {
    let made = made();
    let key = key_of(&made);
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let packed = made.make("receipt.cbor", &["projection", "receipt", "on-time"]);
    let copy = copy_of(&made);
    expect![[r#"
        receipt   state of projection on-time at sequence 400
        log       UUID
        identity  DIGEST
        state     DIGEST with 46 entries, 0 faults
        made at   TIME
        key       DIGEST
        holds     signature, key, identity, log id, log, chain head, event root, plugin, replay, state digest, entries, faults
        exit 0
    "#]].assert_eq(&copy.check(&receipt, &["--key", &key]));
    assert!(copy.check(&packed, &["--key", &key]).ends_with("exit 0\n"));
    expect![[r#"
        receipt   state of projection on-time at sequence 400
        log       UUID
        identity  DIGEST
        state     DIGEST with 46 entries, 0 faults
        made at   TIME
        key       DIGEST
        holds     signature
        ! error: DOCUMENT is refused: it is signed by the key DIGEST, not by DIGEST
        exit 5
    "#]]
    .assert_eq(&copy.check(&receipt, &["--key", &"0".repeat(64)]));
    for mistyped in ["", "x", &key[1..]] {
        let said = copy.check(&receipt, &["--key", mistyped]);
        assert!(said.contains("a public key is 64 hexadecimal digits") && said.ends_with("exit 2\n"), "{said}");
    }
    // Without a log the document speaks for itself.
    let nowhere = copy.files.path().join("nowhere");
    let alone = ["--data-dir", nowhere.to_str().unwrap()];
    expect![[r#"
        receipt   state of projection on-time at sequence 400
        log       UUID
        identity  DIGEST
        state     DIGEST with 46 entries, 0 faults
        made at   TIME
        key       DIGEST
        holds     signature, identity
        ! whose key that is, it does not say; --key names the one that is expected
        ! there is no log at FILES/nowhere to check it against; --data-dir names one
        exit 0
    "#]]
    .assert_eq(&copy.check(&packed, &alone));
    assert!(!nowhere.exists());
    // The plugins as files, for a copy of the log that has none.
    std::fs::remove_dir_all(copy.dir.path().join("plugins")).unwrap();
    expect![[r#"
        ! error: DOCUMENT is refused: the receipt names plugin DIGEST, which is not in the data directory; name its file with --plugin
        exit 5"#]]
    .assert_eq(&end_of(&copy.check(&receipt, &[])));
    let files = made.plugins();
    let files: Vec<&str> = files.iter().flat_map(|file| ["--plugin", file.to_str().unwrap()]).collect();
    assert!(copy.check(&receipt, &files).ends_with("exit 0\n"));
}

#[test]
fn one_byte_of_the_state_is_found() {
    let made = made();
    let copy = copy_of(&made);
    let sound = made.make("proof.json", &["projection", "prove", "on-time", "carrier/UA"]);
    assert!(copy.check(&sound, &[]).ends_with("exit 0\n"));
    let proved: Value = serde_json::from_slice(&std::fs::read(&sound).unwrap()).unwrap();
    // The host changes a byte of an entry, and its tree with it, as one that wants to deceive does.
    let file = made.dir.states("on-time")[0].clone();
    let identity: Digest = proved["receipt"]["identity"].as_str().unwrap().parse().unwrap();
    let log_id = uuid::Uuid::parse_str(proved["receipt"]["log_id"].as_str().unwrap()).unwrap();
    let store = Store::open(&file, identity, *log_id.as_bytes()).unwrap();
    let mut value = store.reader().unwrap().get("carrier/UA").unwrap().unwrap();
    *value.last_mut().unwrap() ^= 1;
    let mut changes = Changes::default();
    changes.set("carrier/UA".to_owned(), Some(value));
    store.commit(&changes, store.checkpoint().unwrap(), &Marks::default()).unwrap();
    drop(store);
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    expect![[r#"
        receipt   state of projection on-time at sequence 400
        log       UUID
        identity  DIGEST
        state     DIGEST with 46 entries, 0 faults
        made at   TIME
        key       DIGEST
        holds     signature, identity, log id, log, chain head, event root, plugin, replay
        ! error: DOCUMENT is refused: the state digest differs: the receipt says DIGEST, but it is DIGEST
        exit 5
    "#]]
    .assert_eq(&copy.check(&receipt, &[]));
    // Its proof of the entry holds by itself: a proof says what the state has, not that it is right.
    let proof = made.make("false.json", &["projection", "prove", "on-time", "carrier/UA"]);
    assert!(copy.check(&proof, &["--signature-only"]).ends_with("exit 0\n"));
    assert!(copy.check(&proof, &[]).contains("the state digest differs"));
}

#[test]
fn one_byte_of_the_log_is_found() {
    let made = made();
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let copy = copy_of(&made);
    let log = copy.dir.path().join("log.redb");
    let whole = std::fs::read(&log).unwrap();
    let mut damaged = whole.clone();
    let byte = damaged.windows(7).rposition(|window| window == b"tailnum").unwrap();
    damaged[byte] ^= 1;
    std::fs::write(&log, damaged).unwrap();
    expect![[r#"
        ! error: block 229 is damaged: its checksum differs; restore the log from a copy
        exit 5"#]]
    .assert_eq(&end_of(&copy.check(&receipt, &[])));
    // The same byte, and a checksum that fits it.
    std::fs::write(&log, whole).unwrap();
    reseal_last_block(&log, |block| {
        let byte = block.windows(7).rposition(|window| window == b"tailnum").unwrap();
        block[byte] ^= 1;
    });
    expect![[r#"
        ! error: DOCUMENT is refused: block 229 is damaged: its chain head is not that of its last event; restore the log from a copy
        exit 5"#]]
    .assert_eq(&end_of(&copy.check(&receipt, &[])));
}

fn reseal_last_block(log: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
    let database = Database::open(log).unwrap();
    let (first, mut block) = {
        let blocks = database.begin_read().unwrap().open_table(BLOCKS).unwrap();
        let (first, block) = blocks.last().unwrap().unwrap();
        (first.value(), block.value().to_vec())
    };
    block.truncate(block.len() - 16);
    change(&mut block);
    let checksum = Digest::of(&block).0;
    block.extend_from_slice(&checksum[..16]);
    let transaction = database.begin_write().unwrap();
    transaction.open_table(BLOCKS).unwrap().insert(first, block.as_slice()).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn one_byte_of_a_plugin_is_found() {
    let made = made();
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let copy = copy_of(&made);
    let document: Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    let deployment = &document["receipt"]["deployment"];
    for digest in [deployment["plugin"].as_str().unwrap(), deployment["upcasters"][0].as_str().unwrap()] {
        let file = copy.dir.path().join("plugins").join(format!("{digest}.wasm"));
        let whole = std::fs::read(&file).unwrap();
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        std::fs::write(&file, &other).unwrap();
        expect![[r#"
            ! error: DOCUMENT is refused: plugin DIGEST: DATA/plugins/DIGEST holds other bytes than its name says (their digest is DIGEST): delete that file and install the plugin again
            exit 5"#]]
        .assert_eq(&end_of(&copy.check(&receipt, &[])));
        std::fs::remove_file(&file).unwrap();
        let given = copy.file("other.wasm", &other);
        let said = copy.check(&receipt, &["--plugin", given.to_str().unwrap()]);
        let expected =
            "the receipt names plugin DIGEST, and no file with these bytes is here (given: DIGEST)\nexit 5\n";
        assert!(said.ends_with(expected), "{said}");
        std::fs::write(&file, whole).unwrap();
    }
    assert!(copy.check(&receipt, &[]).ends_with("exit 0\n"));
}

#[test]
fn an_entry_is_proved_to_who_has_only_the_document() {
    let made = made();
    let key = key_of(&made);
    let nobody = Environment::new();
    let proof = made.make("proof.json", &["projection", "prove", "on-time", "carrier/UA"]);
    expect![[r#"
        receipt   state of projection on-time at sequence 400
        log       UUID
        identity  DIGEST
        state     DIGEST with 46 entries, 0 faults
        entry     carrier/UA = {"flights":61,"departed":61,"arrived":19,"cancelled":0,"diverted":0,"late":5,"delay_sum_minutes":107,"delay_mean_minutes":5.631578947368421,"delay_max_minutes":123}
        made at   TIME
        key       DIGEST
        holds     signature, key, identity, entry
        ! there is no log at DATA to check it against; --data-dir names one
        exit 0
    "#]].assert_eq(&nobody.check(&proof, &["--key", &key]));
    let absent = made.make("absent.cbor", &["projection", "prove", "on-time", "carrier/none"]);
    assert!(nobody.check(&absent, &[]).contains("carrier/none = nothing"));
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let said = nobody.check(&changed(&proof, change), &[]);
        assert!(said.contains(expected) && said.ends_with("exit 5\n"), "{said}");
    };
    refused(
        &|document| document["entry"]["key"] = json!("carrier/B6"),
        "its value is not the one that the state digest stands for",
    );
    refused(&|document| document["entry"]["value"] = Value::Null, "the state has such an entry");
    refused(&|document| document["entry"]["value"] = json!({ "text": "x" }), "its value is not the one");
    refused(&|document| document["entry"]["value"] = json!({ "base64": "!" }), "its value is no base64");
    refused(&|document| document["entry"]["path"] = json!(""), "is not proved");
    refused(&|document| document["receipt"]["entries"] = json!(1), "the signature does not hold");
    let other = made.make("other.json", &["projection", "prove", "on-time", "carrier/none"]);
    let other: Value = serde_json::from_slice(&std::fs::read(other).unwrap()).unwrap();
    refused(&|document| document["entry"]["key"] = other["entry"]["key"].clone(), "the state has no such entry");
}

#[test]
fn an_event_is_proved_to_who_has_only_the_document() {
    let made = made();
    let nobody = Environment::new();
    let proof = made.make("proof.json", &["log", "prove", "7"]);
    expect![[r#"
        receipt   log of 400 events
        log       UUID
        event     7  TIME  flight/2013-01-01-B6507-EWR@1  flight.departed v1  id flight/2013-01-01-B6507-EWR:flight.departed  {"dest":"FLL","flight":507,"origin":"EWR","carrier":"B6","tailnum":"N516JB","dep_time":555,"dep_delay":-5,"sched_dep_time":600}
        made at   TIME
        key       DIGEST
        holds     signature, event
        ! whose key that is, it does not say; --key names the one that is expected
        ! there is no log at DATA to check it against; --data-dir names one
        exit 0
    "#]].assert_eq(&nobody.check(&proof, &[]));
    let withheld = made.make("withheld.json", &["log", "prove", "7", "--without-payload"]);
    let said = nobody.check(&withheld, &[]);
    assert!(said.contains("payload withheld, BLAKE3 ") && said.ends_with("exit 0\n"), "{said}");
    assert!(copy_of(&made).check(&proof, &[]).ends_with("exit 0\n"));
    expect![[r#"
        ! error: the log has no event 9999; it ends at 400
        exit 3
    "#]]
    .assert_eq(&made.run(&["log", "prove", "9999"]));
    let said = nobody.check(&changed(&proof, |document| document["event"]["payload"] = json!("9g==")), &[]);
    assert!(said.contains("event 7 is not proved: its payload has another digest"), "{said}");
}

#[test]
fn faults_are_part_of_a_receipt() {
    let made = Environment::new();
    made.install(&["returns_error"]);
    for number in 1..=5 {
        let payload = if number % 2 == 0 { "{\"bad\":true}" } else { "{}" };
        made.ok(&["append", &format!("a/{number}"), "t", payload]);
    }
    made.ok(&["projection", "create", "skipping", "--plugin", "returns-error", "--on-fault", "skip"]);
    let receipt = made.make("receipt.json", &["projection", "receipt", "skipping"]);
    let document: Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    assert_eq!(document["receipt"]["faults"], json!(2));
    let said = copy_of(&made).check(&receipt, &[]);
    assert!(said.contains("faults") && said.ends_with("exit 0\n"), "{said}");
    // One that halts speaks of what it came to.
    made.output(&["projection", "create", "halting", "--plugin", "returns-error"], "");
    let path = made.files.path().join("halting.json");
    let said = made.run(&["projection", "receipt", "halting", "--output", path.to_str().unwrap()]);
    assert!(said.contains("warning: projection \"halting\" is halted"), "{said}");
    let said = copy_of(&made).check(&path, &[]);
    assert!(said.contains("at sequence 1") && said.ends_with("exit 0\n"), "{said}");
}

#[test]
fn documents_are_written_where_they_are_wanted() {
    let made = made();
    let file = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let again = made.run(&["projection", "receipt", "on-time", "--output", file.to_str().unwrap()]);
    assert_eq!(again, "! error: FILES/receipt.json exists already; name another file, or remove it first\nexit 2\n");
    let line = made.ok(&["--json", "projection", "receipt", "on-time"]);
    assert_eq!(line.lines().count(), 1);
    let cbor = made.output(&["projection", "receipt", "on-time", "--format", "cbor"], "").stdout;
    assert_eq!(polyfold::cbor::from_cbor(&cbor).unwrap().as_bytes(), cbor, "it is canonical");
    for (name, content) in [("empty", ""), ("other.json", "{\"a\":1}"), ("noise", "\u{1}\u{2}")] {
        let said = made.check(&made.file(name, content), &[]);
        assert!(said.contains("it is no receipt or proof") && said.ends_with("exit 4\n"), "{said}");
    }
    std::fs::write(made.dir.path().join("host-key"), "noise").unwrap();
    let said = made.run(&["projection", "receipt", "on-time"]);
    assert!(
        said.contains("DATA/host-key: others than its owner can reach it") || said.contains("it is damaged"),
        "{said}"
    );
    assert!(said.ends_with("exit 5\n"), "{said}");
}
