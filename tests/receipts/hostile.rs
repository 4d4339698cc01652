//! Documents that mean harm to who checks them, and what a check does to the directory that it is made against: nothing.

use std::path::{Path, PathBuf};

use expect_test::expect;
use redb::Database;
use serde_json::{Value, json};

use super::{copy_of, made};
use crate::program::Environment;

/// Every file below a folder, with its bytes and when it was written last.
fn all_of(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>, std::time::SystemTime)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let written = path.metadata().unwrap().modified().unwrap();
        if path.is_dir() {
            found.push((path.clone(), Vec::new(), written));
            all_of(&path, found);
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap(), written));
        }
    }
    found.sort();
}

#[test]
fn a_check_leaves_a_directory_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = made();
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    // A copy, and a directory with all that a host has.
    for checked in [&copy_of(&made), &made] {
        let files = || {
            let mut files = Vec::new();
            all_of(checked.dir.path(), &mut files);
            files
        };
        let before = files();
        // Who is root may write all the same; then the comparison says whether anybody did.
        let readable = |mode| {
            std::fs::set_permissions(checked.dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        readable(0o500);
        let said = checked.check(&receipt, &[]);
        readable(0o700);
        assert!(said.contains("state digest, entries, faults") && said.ends_with("exit 0\n"), "{said}");
        assert!(files() == before, "{:?}", files().iter().map(|(path, ..)| path).collect::<Vec<_>>());
    }
}

/// A log that nobody closed is read as the one who opens it next would find it, and stays as it is.
#[test]
fn a_log_that_was_not_closed_can_be_checked() {
    let made = made();
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let copy = Environment::new();
    let log = copy.dir.path().join("log.redb");
    {
        // Copied while it is open: redb has marked it as one to be repaired.
        let _open = Database::open(made.dir.path().join("log.redb")).unwrap();
        std::fs::copy(made.dir.path().join("log.redb"), &log).unwrap();
        let said = made.check(&receipt, &[]);
        assert!(said.contains("is in use by another process") && !said.contains("exit 0"), "{said}");
    }
    let before = std::fs::read(&log).unwrap();
    let plugins = made.plugins();
    let plugins: Vec<&str> = plugins.iter().flat_map(|file| ["--plugin", file.to_str().unwrap()]).collect();
    let said = copy.check(&receipt, &plugins);
    assert!(said.ends_with("exit 0\n"), "{said}");
    assert!(std::fs::read(&log).unwrap() == before);
}

#[test]
fn what_a_killed_check_left_is_cleared_away_without_a_word() {
    let made = made();
    let scratches = made.dir.path().join("projections/.check");
    std::fs::create_dir(&scratches).unwrap();
    std::fs::write(scratches.join(format!("{}-0.scratch.redb", "a".repeat(64))), "half").unwrap();
    let said = made.run(&["log", "status"]);
    assert!(!said.contains(".check") && said.ends_with("exit 0\n"), "{said}");
    assert!(!scratches.exists());
}

/// A document signed by a key of the test's own: `receipt check` takes any.
fn signed(receipt: &Value) -> Value {
    use ed25519_dalek::{Signer as _, SigningKey};
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let key = SigningKey::from_bytes(&[5; 32]);
    let message = polyfold::cbor::canonical_from_json(&receipt.to_string()).unwrap();
    let signature = key.sign(&[&b"polyfold receipt v1\n"[..], &message].concat());
    json!({ "receipt": receipt, "key": hex(key.verifying_key().as_bytes()), "signature": hex(&signature.to_bytes()) })
}

/// The same receipt with another deployment, whose identity fits it.
fn redeployed(receipt: &Path, change: impl FnOnce(&mut polyfold::engine::Deployment)) -> Value {
    let mut document: Value = serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
    let mut deployment = serde_json::from_value(document["receipt"]["deployment"].take()).unwrap();
    change(&mut deployment);
    document["receipt"]["identity"] = json!(deployment.identity().to_string());
    document["receipt"]["deployment"] = serde_json::to_value(&deployment).unwrap();
    signed(&document["receipt"])
}

#[test]
fn a_signed_receipt_that_cannot_be_true_is_refused_by_name() {
    let made = made();
    let receipt = made.make("receipt.json", &["projection", "receipt", "on-time"]);
    let check = |document: Value, expected: &str| {
        let path = made.file("signed.json", document.to_string());
        let said = made.check(&path, &[]);
        assert!(said.contains(expected) && said.ends_with("exit 5\n"), "{said}");
        assert!(said.contains("! error: FILES/signed.json is refused: "), "{said}");
    };
    for (name, limit) in [("fuel-per-event", 0), ("fuel-per-event", 1), ("memory-bytes", 0)] {
        let starved = |deployment: &mut polyfold::engine::Deployment| {
            match name {
                "fuel-per-event" => deployment.fuel_per_event = limit,
                _ => deployment.memory_bytes = limit,
            }
            // It says the same twice.
            deployment.limits.iter_mut().filter(|(other, _)| other == name).for_each(|(_, value)| *value = limit);
        };
        check(redeployed(&receipt, starved), "cannot run as the receipt says");
    }
    let twice = |deployment: &mut polyfold::engine::Deployment| {
        let upcaster = deployment.upcasters[0].clone();
        deployment.upcasters = vec![upcaster; 30_000];
    };
    check(redeployed(&receipt, twice), "the deployment has 30000 upcasters, and 256 are taken");
    let twice =
        |deployment: &mut polyfold::engine::Deployment| deployment.upcasters.extend(deployment.upcasters.clone());
    check(redeployed(&receipt, twice), "twice");
    // What is no receipt at all is another thing, and named too.
    let mut other: Value = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    other["receipt"]["made_at"] = json!("never\nkey       mine\nholds     everything");
    let path = made.file("signed.json", signed(&other["receipt"]).to_string());
    expect![[r#"
        ! error: FILES/signed.json: it is no receipt or proof: the receipt: made_at is "never\nkey       mine\nholds     everything", and must be an RFC 3339 time in UTC
        exit 4
    "#]]
    .assert_eq(&made.check(&path, &[]));
}

#[test]
fn texts_of_a_document_stay_on_their_line() {
    let made = made();
    made.ok(&["append", "a/\u{202e}b", "t", r#"{"x":"\u2066y"}"#]);
    let proof = made.make("proof.json", &["log", "prove", "401"]);
    let said = made.check(&proof, &["--signature-only"]);
    assert!(said.contains("a/\\u{202e}b@1") && said.contains("\\u{2066}y") && !said.contains('\u{202e}'), "{said}");
    // A file's name is anybody's, too.
    let odd = made.file("x\nholds     everything", std::fs::read(&proof).unwrap().as_slice());
    std::fs::write(&odd, "{}").unwrap();
    let said = made.run(&["receipt", "check", odd.to_str().unwrap()]);
    assert!(said.starts_with("! error: FILES/x\\nholds     everything: it is no receipt"), "{said}");
}

#[test]
fn a_document_goes_through_a_pipe() {
    let made = made();
    let receipt = made.ok(&["projection", "receipt", "on-time", "--output", "-"]);
    assert!(!made.files.path().join("-").exists());
    let said = made.run_with(&["receipt", "check", "-", "--signature-only"], &receipt);
    assert!(said.contains("holds     signature, identity") && said.ends_with("exit 0\n"), "{said}");
    let said = made.run_with(&["receipt", "check", "-"], "null");
    assert!(said.starts_with("! error: standard input: it is no receipt or proof: it must be a JSON object"), "{said}");
    assert_eq!(made.ok(&["export", "--output", "-"]).lines().count(), 400);
}
