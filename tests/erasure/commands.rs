//! The same by the command line, with a host and without one, and over HTTP.

use expect_test::expect;
use reqwest::Method;
use serde_json::json;

use crate::program::Environment;
use crate::service::server::{Server, block_on};

fn transcript(environment: &Environment, commands: &[&str]) -> String {
    let mut text = String::new();
    for command in commands {
        let arguments: Vec<&str> =
            command.split(' ').map(|word| if word == "WHY" { "asked by letter" } else { word }).collect();
        text += &format!("$ {command}\n{}", environment.run(&arguments));
    }
    text
}

const COMMANDS: [&str; 16] = [
    "append person/1 named {\"name\":\"Jane\"} --id a --encrypt person --no-wait",
    "append person/2 named {\"name\":\"Joan\"} --id b",
    "read",
    "keys list",
    "keys export keys.txt",
    "keys export keys.txt",
    "forget person/1",
    "forget order/1 --reason WHY",
    "forget person/1 --reason WHY --by registrar",
    "forget person/1 --reason WHY",
    "append person/1 named 1",
    "read",
    "keys list",
    "keys import keys.txt",
    "log verify",
    "append polyfold/x y",
];

#[test]
fn streams_are_encrypted_and_forgotten_by_the_command_line() {
    let environment = Environment::new();
    let alone = transcript(&environment, &COMMANDS);
    expect![[r#"
        $ append person/1 named {"name":"Jane"} --id a --encrypt person --no-wait
        sequence 1, person/1 version 1, id a
        exit 0
        $ append person/2 named {"name":"Joan"} --id b
        sequence 2, person/2 version 1, id b
        exit 0
        $ read
        1  TIME  person/1@1  named v1  {"name":"Jane"}
        2  TIME  person/2@1  named v1  {"name":"Joan"}
        exit 0
        $ keys list
        person/1                         key of TIME
        person/2                         key of TIME
        exit 0
        $ keys export keys.txt
        ! keys.txt has the keys of 2 streams; keep it apart from backups
        exit 0
        $ keys export keys.txt
        ! error: keys.txt: File exists (os error 17)
        exit 1
        $ forget person/1
        ! error: the following required arguments were not provided:
        !   --reason <TEXT>
        !
        ! Usage: polyfold forget --reason <TEXT> --data-dir <DIR> <STREAM>
        !
        ! For more information, try '--help'.
        exit 2
        $ forget order/1 --reason WHY
        ! error: there is no stream "order/1"; nothing was changed
        exit 4
        $ forget person/1 --reason WHY --by registrar
        stream person/1 is forgotten, event 3 says so: 1 event can be read no more
        exit 0
        $ forget person/1 --reason WHY
        stream person/1 was forgotten before: 1 event can be read no more
        exit 0
        $ append person/1 named 1
        ! error: stream "person/1" was forgotten, and takes no new events; use another stream
        exit 4
        $ read
        1  TIME  person/1@1  named v1  (forgotten: 59 bytes)
        2  TIME  person/2@1  named v1  {"name":"Joan"}
        3  TIME  polyfold/forgotten@1  polyfold.forgotten v1  {"reason":"asked by letter","stream":"person/1"}
        exit 0
        $ keys list
        person/1                         forgotten TIME
        person/2                         key of TIME
        exit 0
        $ keys import keys.txt
        0 keys added, 1 known, 0 streams known to be forgotten
        ! warning: 1 key of streams that were forgotten here were not taken
        exit 0
        $ log verify
        the log is sound: 3 events in 1 blocks, chain head DIGEST
        exit 0
        $ append polyfold/x y
        ! error: stream "polyfold/x" is of the host's own category, which nobody else appends to
        exit 4
    "#]]
    .assert_eq(&alone);
    let served = Environment::new();
    let _server = Server::start(&served, &[]);
    assert_eq!(transcript(&served, &COMMANDS), alone, "the same with a host");
}

#[test]
fn a_backup_made_before_cannot_bring_back_what_was_forgotten() {
    let environment = Environment::new();
    environment.ok(&["append", "person/1", "named", "{\"name\":\"Jane\"}", "--encrypt", "person"]);
    environment.ok(&["append", "person/2", "named", "{\"name\":\"Joan\"}"]);
    environment.ok(&["keys", "export", "before.txt"]);
    environment.ok(&["backup", "safe"]);
    environment.ok(&["forget", "person/1", "--reason", "asked by letter"]);
    environment.ok(&["keys", "export", "after.txt"]);
    std::fs::remove_dir_all(environment.dir.path()).unwrap();
    let text = transcript(
        &environment,
        &[
            "restore safe",
            "log status",
            "read",
            "append person/1 named 2",
            "keys import after.txt",
            "read",
            "log verify",
        ],
    );
    expect![[r#"
        $ restore safe
        DATA restored from generation 1: the log up to sequence 2, chain head DIGEST; 0 plugins, 0 states
        ! warning: events are encrypted, and backups hold no keys: `polyfold keys import FILE` takes those of an export
        exit 0
        $ log status
        log         UUID
        head        2
        recorded at TIME
        chain head  DIGEST
        blocks      1, 409 B
        indexes     2 runs, 364 B
        file        68.00 KiB
        encrypted   person
        exit 0
        $ read
        ! error: the key of stream "person/1" is not here, and event 1 cannot be read without it: `polyfold keys import` takes it from an export, `polyfold forget` gives the stream up
        exit 4
        $ append person/1 named 2
        ! error: the key of stream "person/1" is not here, and event 1 cannot be read without it: `polyfold keys import` takes it from an export, `polyfold forget` gives the stream up
        exit 4
        $ keys import after.txt
        1 key added, 0 known, 1 stream known to be forgotten
        exit 0
        $ read
        1  TIME  person/1@1  named v1  (forgotten: 59 bytes)
        2  TIME  person/2@1  named v1  {"name":"Joan"}
        exit 0
        $ log verify
        the log is sound: 2 events in 1 blocks, chain head DIGEST
        exit 0
    "#]].assert_eq(&text);
}

#[test]
fn a_proof_of_an_encrypted_event_holds_without_its_key_and_behind_its_forgetting() {
    let environment = Environment::new();
    environment.ok(&["append", "person/1", "named", "{\"name\":\"Jane\"}", "--id", "a", "--encrypt", "person"]);
    environment.ok(&["log", "prove", "1", "--output", "before.json"]);
    environment.ok(&["forget", "person/1", "--reason", "asked by letter"]);
    let text = transcript(
        &environment,
        &[
            "receipt check before.json --signature-only",
            "receipt check before.json",
            "log prove 1 --output after.json",
            "receipt check after.json",
        ],
    );
    let proof = std::fs::read_to_string(environment.files.path().join("before.json")).unwrap();
    assert!(!proof.contains("Jane"));
    expect![[r#"
        $ receipt check before.json --signature-only
        receipt   log of 1 events
        log       UUID
        event     1  TIME  person/1@1  named v1  id a  payload encrypted, BLAKE3 DIGEST
        made at   TIME
        key       DIGEST
        holds     signature, event
        ! whose key that is, it does not say; --key names the one that is expected
        ! the log was not looked at
        exit 0
        $ receipt check before.json
        receipt   log of 1 events
        log       UUID
        event     1  TIME  person/1@1  named v1  id a  payload encrypted, BLAKE3 DIGEST
        made at   TIME
        key       DIGEST
        holds     signature, event, log id, log, chain head, event root
        ! whose key that is, it does not say; --key names the one that is expected
        exit 0
        $ log prove 1 --output after.json
        ! wrote after.json
        exit 0
        $ receipt check after.json
        receipt   log of 2 events
        log       UUID
        event     1  TIME  person/1@1  named v1  id a  payload encrypted, BLAKE3 DIGEST
        made at   TIME
        key       DIGEST
        holds     signature, event, log id, log, chain head, event root
        ! whose key that is, it does not say; --key names the one that is expected
        exit 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn erasing_takes_the_scope_manage_and_no_token_gets_keys() {
    let environment = Environment::new();
    environment.ok(&["append", "person/1", "named", "1", "--encrypt", "person"]);
    environment.ok(&["append", "order/1", "placed", "2"]);
    let make = |category: &[&str], scope: &str| {
        let said = environment.ok(&[&["--json", "token", "create", "x", "--scope", scope], category].concat());
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["secret"].as_str().unwrap().to_owned()
    };
    let limited = make(&["--category", "person"], "append");
    let (manage, read) = (make(&[], "manage"), make(&[], "read"));
    let server = Server::start(&environment, &["--require-token"]);
    block_on(async {
        let ask = |token: &str, method: Method, path: &str, body: serde_json::Value| {
            let request = reqwest::Client::new().request(method, format!("{}{path}", server.url)).bearer_auth(token);
            async move { request.json(&body).send().await.unwrap().status().as_u16() }
        };
        let forget = json!({ "stream": "person/1", "reason": "why" });
        let redact = |sequence: u64| json!({ "sequences": [sequence], "reason": "why" });
        for (token, path, body, status) in [
            (&read, "/forget", forget.clone(), 403),
            (&read, "/redact", redact(2), 403),
            (&limited, "/forget", forget.clone(), 403),
            (&limited, "/redact", redact(1), 403),
            (&limited, "/encryption", json!({ "categories": ["person"] }), 403),
            (&manage, "/forget", json!({ "stream": "person", "reason": "why" }), 400),
            (&manage, "/forget", json!({ "stream": "person/1", "reason": "a\u{7}b" }), 400),
            (&manage, "/forget", json!({ "stream": "person/1", "reason": "why", "because": 1 }), 400),
            (&manage, "/redact", json!({ "sequences": [], "reason": "why" }), 400),
            (&manage, "/redact", redact(9), 404),
            (&manage, "/redact", redact(2), 200),
            (&manage, "/forget", forget, 200),
        ] {
            assert_eq!(ask(token, Method::POST, path, body.clone()).await, status, "{path} {body}");
        }
        assert_eq!(ask(&read, Method::GET, "/keys", json!({})).await, 403);
        assert_eq!(ask(&manage, Method::GET, "/keys", json!({})).await, 200);
        assert_eq!(ask(&manage, Method::GET, "/keys/export", json!({})).await, 403);
        assert_eq!(ask(&manage, Method::POST, "/keys/import", json!({})).await, 403);
    });
}

#[test]
fn events_are_redacted_by_the_command_line_and_the_next_backup_has_them_no_more() {
    let environment = Environment::new();
    for (id, name) in [("a", "Jane"), ("b", "Joan")] {
        environment.ok(&["append", "person/1", "named", &format!("{{\"name\":\"{name}\"}}"), "--id", id]);
    }
    environment.ok(&["backup", "safe"]);
    let text = transcript(
        &environment,
        &[
            "redact",
            "redact 1 --reason WHY --by registrar",
            "redact 1 2 --reason WHY",
            "redact 1 --reason WHY",
            "redact 3 --reason WHY",
            "redact 9 --reason WHY",
            "read",
            "log verify",
        ],
    );
    expect![[r#"
        $ redact
        ! error: the following required arguments were not provided:
        !   --reason <TEXT>
        !   <SEQUENCE>...
        !
        ! Usage: polyfold redact --reason <TEXT> --data-dir <DIR> <SEQUENCE>...
        !
        ! For more information, try '--help'.
        exit 2
        $ redact 1 --reason WHY --by registrar
        1 event redacted, event 3 says so
        exit 0
        $ redact 1 2 --reason WHY
        1 event redacted, 1 before, event 4 says so
        exit 0
        $ redact 1 --reason WHY
        nothing is redacted: all were, 1 before
        exit 0
        $ redact 3 --reason WHY
        ! error: event 3 says who erased what, and stays; nothing was changed
        exit 4
        $ redact 9 --reason WHY
        ! error: the log has no event 9; it ends at 4
        exit 3
        $ read
        1  TIME  person/1@1  named v1  (redacted: 11 bytes)
        2  TIME  person/1@2  named v1  (redacted: 11 bytes)
        3  TIME  polyfold/redactions@1  polyfold.redacted v1  {"reason":"asked by letter","sequences":[1]}
        4  TIME  polyfold/redactions@2  polyfold.redacted v1  {"reason":"asked by letter","sequences":[2]}
        exit 0
        $ log verify
        the log is sound: 4 events in 1 blocks, chain head DIGEST
        exit 0
    "#]]
    .assert_eq(&text);
    environment.ok(&["backup", "safe", "--keep-last", "1"]);
    environment.ok(&["backup", "verify", "safe"]);
    let dir = environment.files.path().join("restored");
    let restored = |arguments: &[&str]| environment.run(&[&["--data-dir", dir.to_str().unwrap()], arguments].concat());
    restored(&["restore", "safe"]);
    assert_eq!(restored(&["read"]), environment.run(&["read"]));
    assert_eq!(restored(&["log", "verify"]), environment.run(&["log", "verify"]));
}
