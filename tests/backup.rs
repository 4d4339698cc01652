//! Backups with the real program: made while a host serves, restored, and gone on from.

mod cut_off;
mod full;
mod killed;
mod load;

use std::path::{Path, PathBuf};

use expect_test::expect;
use serde_json::Value;

use crate::host::flights;
use crate::program::Environment;
use crate::service::server::Server;

impl Environment {
    /// A directory with flights and what `on-time` makes of them.
    fn with_flights(count: usize) -> Self {
        let made = Self::new();
        made.install(&["flights-v2", "on-time"]);
        let events = made.file("flights.ndjson", flights(count).as_bytes());
        made.ok(&["import", events.to_str().unwrap()]);
        made.ok(&["projection", "create", "on-time"]);
        made
    }

    /// The last line of JSON that a command prints.
    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[&["--json"], arguments].concat());
        serde_json::from_str(text.lines().last().unwrap()).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The same program over the directory that a backup was restored to.
    fn restored(&self, dir: &Path, arguments: &[&str]) -> String {
        self.run(&[&["--data-dir", dir.to_str().unwrap()], arguments].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What a command says without sizes, which differ from run to run.
fn without_sizes(said: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in said.split(' ') {
        let unit = word.trim_end_matches([',', ';']);
        let is_number = words.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
        match words.last_mut() {
            Some(last) if is_number && ["B", "KiB", "MiB"].contains(&unit) => {
                *last = format!("SIZE{}", &word[unit.len()..])
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

#[test]
fn a_directory_is_backed_up_deleted_and_restored() {
    let made = Environment::with_flights(2_000);
    let receipt = made.path("receipt.json");
    made.ok(&["projection", "receipt", "on-time", "--output", text(&receipt)]);
    let token = made.json(&["token", "create", "shop", "--scope", "read"]);
    let key = made.ok(&["receipt", "key"]);
    let status = made.json(&["log", "status"]);
    let state = made.json(&["projection", "verify", "on-time"]);
    let said = [
        made.run(&["backup", "safe"]),
        made.run(&["backup", "safe", "--quiet"]),
        made.run(&["backup", "list", "safe"]),
        made.run(&["backup", "verify", "safe"]),
        made.run(&["backup", "safe.polyfold", "--states"]),
        made.run(&["backup", "safe.polyfold"]),
        made.run(&["backup", "verify", "safe.polyfold"]),
        made.run(&["restore", "safe"]),
    ];
    expect![[r#"
        generation 1 in safe: the log up to sequence 2,000, chain head DIGEST; 2 plugins, 0 states, host key; SIZE, SIZE of it new
        exit 0
        generation 2 in safe: the log up to sequence 2,000, chain head DIGEST; 2 plugins, 0 states, host key; SIZE, SIZE of it new
        exit 0
        1  TIME  sequence 2,000, chain head DIGEST  SIZE, SIZE new  2 plugins, 0 states, host key
        2  TIME  sequence 2,000, chain head DIGEST  SIZE, SIZE new  2 plugins, 0 states, host key
        exit 0
        the backup is sound: 2 generations, 8 files, SIZE; the log ends at sequence 2,000, chain head DIGEST
        exit 0
        generation 1 in safe.polyfold: the log up to sequence 2,000, chain head DIGEST; 2 plugins, 1 state, host key; SIZE, SIZE of it new
        exit 0
        ! error: safe.polyfold exists already; name another file, or remove it first
        exit 4
        the backup is sound: 1 generation, 8 files, SIZE; the log ends at sequence 2,000, chain head DIGEST
        exit 0
        ! error: data directory DATA is not empty; restore into one that is empty or does not exist
        exit 4
    "#]]
    .assert_eq(&without_sizes(&said.concat()));
    for (backup, dir) in [("safe", "one"), ("safe.polyfold", "two")] {
        let dir = made.path(dir);
        let said = without_sizes(&made.restored(&dir, &["restore", backup]));
        assert!(said.contains("restored from generation") && said.ends_with("exit 0\n"), "{said}");
        std::os::unix::fs::symlink(crate::guests::shared_cache(), dir.join("cache")).unwrap();
        let json = |arguments: &[&str]| made.json(&[&["--data-dir", text(&dir)], arguments].concat());
        let anew = json(&["log", "status"]);
        for field in ["log_id", "head", "recorded_at", "chain_head", "blocks"] {
            assert_eq!(anew[field], status[field], "{field}");
        }
        json(&["log", "verify"]);
        let checked = made.restored(&dir, &["receipt", "check", text(&receipt), "--key", key.trim()]);
        assert!(checked.contains("chain head, event root, plugin, replay, state digest"), "{checked}");
        assert_eq!(made.ok(&["--data-dir", text(&dir), "receipt", "key"]), key);
        assert_eq!(json(&["token", "list"])["id"], token["id"]);
        assert_eq!(json(&["projection", "verify", "on-time"])["digest"], state["digest"]);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.join("host-key")).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        made.restored(&dir, &["append", "order/1", "order.placed", "{}"]);
        json(&["log", "verify"]);
    }
}

#[test]
fn a_file_is_an_archive_that_any_tar_unpacks() {
    let made = Environment::with_flights(300);
    made.ok(&["backup", "safe.tar", "--states"]);
    let unpacked = made.path("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.args(["-xf", text(&made.path("safe.tar")), "-C", text(&unpacked)]);
    assert!(tar.status().unwrap().success());
    let of = |path: &Path| made.json(&["backup", "verify", text(path)]);
    assert_eq!(of(&unpacked), of(&made.path("safe.tar")));
    made.ok(&["append", "order/1", "order.placed", "{}"]);
    assert_eq!(made.json(&["backup", "unpacked"])["generation"], 2);
    made.ok(&["backup", "verify", "unpacked"]);
}

#[test]
fn a_remote_client_gets_everything_but_the_host_key_and_only_with_the_right_token() {
    let made = Environment::with_flights(100);
    made.ok(&["receipt", "key"]);
    let [manage, read] = ["manage", "read"].map(|scope| {
        let made = made.json(&["token", "create", "x", "--scope", scope]);
        made["secret"].as_str().unwrap().to_owned()
    });
    let server = Server::start(&made, &["--require-token"]);
    let ask = |token: &str| {
        let head =
            "POST /backup HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n";
        server.raw(format!("{head}authorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n{{}}").as_bytes())
    };
    let refused = ask(&read);
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("has not the scope manage"), "{refused}");
    let sent = ask(&manage);
    assert!(sent.starts_with("HTTP/1.1 200") && sent.contains("application/vnd.polyfold.backup"), "{:.300}", sent);
    assert!(sent.contains("catalogue.json") && sent.contains("tokens.json") && sent.contains("pfB1"));
    assert!(!sent.contains("host-key"), "the secret key stays");
    drop(server);
}
