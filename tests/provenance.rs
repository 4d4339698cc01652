//! Where plugins come from, by the command line: publishers, signatures, requirements, and what is in a file.

use std::path::PathBuf;

use expect_test::expect;
use serde_json::json;

use crate::guests;
use crate::program::Environment;
use crate::service::client::Api;
use crate::service::server::{Server, block_on};

/// Keys that `minisign -G -W` of Debian made, for tests alone; the checksums, which it leaves out, were added.
pub(crate) const ACME: Key = Key {
    public: "RWRx8wzPPf2KWurR8KfDpHqHPcD423QQipP8ovEZyn/kReO9rCIEFbsn",
    secret: "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAcfMMzz39ilqJZqcWvJTTh7tjZHIkV19eg1n/SxLWBp0riOXrRbPyEurR8KfDpHqHPcD423QQipP8ovEZyn/kReO9rCIEFbsnrK46nOTHUyZusOiDJb37GXHJOxqBb7+NGNfEFVku26k=",
};
const STRANGER: Key = Key {
    public: "RWTCc9GgpaNx8VuvTHAhIkDNKF0xllMiv0NoIx+NY8Rf5SLoD4saAKSw",
    secret: "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwnPRoKWjcfGaLhuJLBG6Ekl2L1FSKI/L1pB4/7GP1mVHqF4fWVi0M1uvTHAhIkDNKF0xllMiv0NoIx+NY8Rf5SLoD4saAKSwzkhNrntJYYHbUIr85K5CgDXwp64B95DKIqV8ptIE31g=",
};

pub(crate) struct Key {
    pub(crate) public: &'static str,
    secret: &'static str,
}

impl Key {
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        let text = format!("untrusted comment: minisign encrypted secret key\n{}\n", self.secret);
        let key = minisign::SecretKeyBox::from_string(&text).unwrap().into_unencrypted_secret_key().unwrap();
        minisign::sign(None, &key, bytes, Some("version 1"), None).unwrap().to_string()
    }
}

/// Copies a plugin to where the program runs.
fn copy(environment: &Environment, guest: &str, name: &str) -> PathBuf {
    environment.file(name, guests::bytes(guest))
}

#[test]
fn a_publisher_is_trusted_and_no_longer() {
    let environment = Environment::new();
    copy(&environment, "event-counts", "counts.wasm");
    environment.file("counts.wasm.minisig", ACME.sign(&guests::bytes("event-counts")));
    copy(&environment, "renames", "renames.wasm");
    environment.file("strangers.minisig", STRANGER.sign(&guests::bytes("renames")));
    copy(&environment, "traps", "traps.wasm");
    environment.file("acme.pub", format!("untrusted comment: minisign public key\n{}\n", ACME.public));
    let commands = [
        "append order/1 order.paid --id a",
        "trust list",
        "trust add acme acme.pub --comment releases",
        "trust add acme acme.pub",
        "trust add other nonsense",
        "trust list",
        "plugin install counts.wasm",
        "plugin install counts.wasm --signature strangers.minisig",
        "plugin install renames.wasm --signature counts.wasm.minisig",
        "plugin install renames.wasm --signature strangers.minisig --require-signature",
        "plugin install renames.wasm --signature strangers.minisig",
        "plugin install traps.wasm --require-signature",
        "plugin install traps.wasm --signature missing.minisig",
        "plugin install traps.wasm",
        "projection create event-counts",
        "trust require on",
        "plugin install traps.wasm",
        "projection create traps",
        "trust remove acme",
        "trust remove acme",
        "projection rebuild event-counts",
        "projection create again --plugin event-counts",
        "read --upcast",
        "trust require off",
        "trust require",
        "projection rebuild event-counts",
    ];
    let mut transcript = String::new();
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        transcript.push_str(&format!("$ {command}\n{}", environment.run(&arguments)));
    }
    expect![[r#"
        $ append order/1 order.paid --id a
        sequence 1, order/1 version 1, id a
        exit 0
        $ trust list
        ! no signature is required
        ! nobody is trusted; `polyfold trust add NAME KEY` trusts a publisher
        exit 0
        $ trust add acme acme.pub --comment releases
        publisher "acme" is trusted, key 5A8AFD3DCF0CF371
        exit 0
        $ trust add acme acme.pub
        ! error: publisher "acme" is trusted already; remove it first, or choose another name
        exit 4
        $ trust add other nonsense
        ! error: it is no minisign public key: give the line that begins with RW, or the file that holds it
        exit 2
        $ trust list
        acme                     5A8AFD3DCF0CF371 RWRx8wzPPf2KWurR8KfDpHqHPcD423QQipP8ovEZyn/kReO9rCIEFbsn  releases
        ! no signature is required
        exit 0
        $ plugin install counts.wasm
        projection event-counts@0.1.0 installed, digest DIGEST, signed by acme
        exit 0
        $ plugin install counts.wasm --signature strangers.minisig
        projection event-counts@0.1.0 was installed before, digest DIGEST, signed by acme
        exit 0
        $ plugin install renames.wasm --signature counts.wasm.minisig
        ! error: renames.wasm: the signature of key 5A8AFD3DCF0CF371 (acme) does not fit: the file is not the one that was signed, or the signature was changed; nothing was installed
        exit 4
        $ plugin install renames.wasm --signature strangers.minisig --require-signature
        ! error: renames.wasm: the plugin is signed by unknown key F171A3A5A0D173C2, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ plugin install renames.wasm --signature strangers.minisig
        upcaster renames@0.1.0 installed, digest DIGEST, signed by unknown key F171A3A5A0D173C2
        exit 0
        $ plugin install traps.wasm --require-signature
        ! error: traps.wasm: the plugin is not signed, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ plugin install traps.wasm --signature missing.minisig
        ! error: missing.minisig: No such file or directory (os error 2)
        exit 1
        $ plugin install traps.wasm
        projection traps@0.1.0 installed, digest DIGEST, unsigned
        exit 0
        $ projection create event-counts
        projection event-counts: 2 entries at sequence 1, live
        exit 0
        $ trust require on
        a trusted publisher's signature is required
        ! warning: plugin renames@0.1.0 is signed by unknown key F171A3A5A0D173C2: it does not start again
        ! warning: plugin traps@0.1.0 is unsigned: it does not start again
        exit 0
        $ plugin install traps.wasm
        ! error: traps.wasm: the plugin is not signed, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ projection create traps
        ! error: plugin traps@0.1.0 is not signed, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ trust remove acme
        publisher "acme" is no longer trusted, key 5A8AFD3DCF0CF371
        ! plugin event-counts@0.1.0 stays installed, signed by acme, who is no longer trusted
        exit 0
        $ trust remove acme
        ! error: no publisher "acme" is trusted; `polyfold trust list` shows those that are
        exit 3
        $ projection rebuild event-counts
        ! error: plugin event-counts@0.1.0 is signed by "acme", who is no longer trusted, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ projection create again --plugin event-counts
        ! error: plugin event-counts@0.1.0 is signed by "acme", who is no longer trusted, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ read --upcast
        ! error: plugin renames@0.1.0 is signed by unknown key F171A3A5A0D173C2, and only what a trusted publisher signed may be installed and run here; `polyfold trust list` shows who is trusted
        exit 4
        $ trust require off
        no signature is required
        exit 0
        $ trust require
        no signature is required
        exit 0
        $ projection rebuild event-counts
        projection event-counts: 2 entries at sequence 1, live
        exit 0
    "#]].assert_eq(&transcript);
    let status = environment.run(&["projection", "status", "event-counts"]);
    assert!(status.contains("event-counts@0.1.0, signed by acme, who is no longer trusted"), "{status}");
    let listed = environment.ok(&["plugin", "list"]);
    assert!(listed.contains("signed by unknown key F171A3A5A0D173C2") && listed.contains("  unsigned  "), "{listed}");
}

/// One key under two names would go on counting after one of them is removed.
#[test]
fn a_key_counts_under_one_name_and_for_a_time_to_come() {
    let environment = Environment::new();
    environment.ok(&["trust", "add", "acme", ACME.public]);
    expect![[r#"
        ! error: key 5A8AFD3DCF0CF371 is trusted already, as publisher "acme"; remove that one first to give it another name or other bounds
        exit 4
    "#]]
    .assert_eq(&environment.run(&["trust", "add", "other", ACME.public]));
    let over = environment.run(&["trust", "add", "late", STRANGER.public, "--until", "2020-01-01T00:00:00Z"]);
    assert!(over.contains("until: TIME is over") && over.ends_with("exit 2\n"), "{over}");
    let weak = "RWQxMjM0NTY3OAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let weak = environment.run(&["trust", "add", "weak", weak]);
    assert!(weak.contains("it is a weak key, for which anybody can sign") && weak.ends_with("exit 2\n"), "{weak}");
    let endless = environment.run(&["trust", "add", "endless", "/dev/zero"]);
    assert!(endless.contains("/dev/zero holds no minisign public key: it is no regular file"), "{endless}");
    // A file that was written by hand may name it twice all the same.
    let entry = |name: &str| format!("[[publisher]]\nname = {name:?}\nkey = {:?}\n", ACME.public);
    std::fs::write(environment.dir.path().join("trust.toml"), entry("acme") + &entry("again")).unwrap();
    expect![[r#"
        publisher "acme" is no longer trusted, key 5A8AFD3DCF0CF371
        ! warning: the same key still counts as that of publisher "again"; remove that one too
        exit 0
    "#]]
    .assert_eq(&environment.run(&["trust", "remove", "acme"]));
}

#[test]
fn a_trust_file_that_is_none_opens_nothing() {
    let environment = Environment::new();
    environment.ok(&["trust", "require", "on"]);
    let trust = environment.dir.path().join("trust.toml");
    let refused = |expected: &str| {
        let said = environment.run(&["plugin", "list"]);
        assert!(said.contains(&format!("DATA/trust.toml: {expected}")) && said.ends_with("exit 5\n"), "{said}");
    };
    std::fs::write(&trust, b"\xff\xfe").unwrap();
    refused("it is not UTF-8");
    std::fs::remove_file(&trust).unwrap();
    for (target, expected) in [("nothing", "it is a link to nothing"), ("/dev/zero", "it is no regular file")] {
        std::os::unix::fs::symlink(target, &trust).unwrap();
        refused(expected);
        std::fs::remove_file(&trust).unwrap();
    }
    std::fs::create_dir(&trust).unwrap();
    refused("it is no regular file");
}

#[test]
fn a_signature_that_cannot_be_read_is_not_passed_over() {
    let environment = Environment::new();
    copy(&environment, "event-counts", "counts.wasm");
    let beside = environment.file("counts.wasm.minisig", b"\xff\xfe");
    let refused = |expected: &str| {
        let said = environment.run(&["plugin", "install", "counts.wasm"]);
        let expected = format!("! error: counts.wasm.minisig is no minisign signature: {expected}");
        assert!(said.starts_with(&expected) && said.ends_with("exit 4\n"), "{said}");
    };
    refused("it is not UTF-8");
    std::fs::remove_file(&beside).unwrap();
    for (target, expected) in [("nothing", "it is a link to nothing"), ("/dev/zero", "it is no regular file")] {
        std::os::unix::fs::symlink(target, &beside).unwrap();
        refused(expected);
        std::fs::remove_file(&beside).unwrap();
    }
    std::fs::create_dir(&beside).unwrap();
    refused("it is no regular file");
}

#[test]
fn a_host_that_requires_signatures_cannot_be_talked_out_of_it() {
    let environment = Environment::new();
    environment.ok(&["trust", "add", "acme", ACME.public]);
    let server = Server::start(&environment, &["--require-signature"]);
    block_on(async {
        let api = Api::new(&server);
        let (status, trust) = api.get("/trust").await;
        assert_eq!((status, &trust["is_forced"]), (200, &json!(true)), "anybody may look");
        // Over TCP nobody changes it, whoever they are.
        let stranger = json!({ "name": "me", "key": STRANGER.public });
        for (path, body) in [("/trust/publishers", &stranger), ("/trust", &json!({ "require_signature": false }))] {
            let (status, problem) = api.post(path, body).await;
            assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{path}");
        }
    });
    // Commands of the same machine go to the host through its socket.
    let unsigned = guests::path("event-counts");
    let refused = environment.run(&["plugin", "install", unsigned.to_str().unwrap()]);
    assert!(refused.contains("is not signed, and only what a trusted publisher signed") && refused.contains("exit 4"));
    environment.file("event_counts.minisig", ACME.sign(&guests::bytes("event-counts")));
    let signed = ["plugin", "install", unsigned.to_str().unwrap(), "--signature", "event_counts.minisig"];
    assert!(environment.ok(&signed).contains("signed by acme"));
    environment.ok(&["projection", "create", "event-counts"]);
    server.stop();
    // A broken trust file opens nothing: the requirement must not get lost with a bracket.
    std::fs::write(environment.dir.path().join("trust.toml"), "require_signature = tru").unwrap();
    let broken = environment.run(&["plugin", "list"]);
    assert!(broken.contains("trust.toml: line 1") && broken.contains("exit 5"), "{broken}");
}

#[test]
fn a_core_module_is_signed_as_its_compiler_made_it() {
    let environment = Environment::new();
    environment.ok(&["trust", "add", "acme", ACME.public]);
    // The shape of a projection without its types: enough to be wrapped, and to be looked at.
    let module = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "polyfold:plugin/projection@0.1.0#describe") (result i32) unreachable)
            (func (export "polyfold:plugin/projection@0.1.0#apply") (param i32 i32) (result i32) unreachable)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#,
    )
    .unwrap();
    environment.file("module.wasm", &module);
    environment.file("module.wasm.minisig", ACME.sign(&module));
    // The signature holds, so what is said is what the module does wrong.
    let refused = environment.run(&["plugin", "install", "module.wasm", "--require-signature"]);
    assert!(refused.contains("unreachable") && !refused.contains("sign"), "{refused}");
    environment.file("module.wasm.minisig", ACME.sign(&module[..module.len() - 1]));
    let refused = environment.run(&["plugin", "install", "module.wasm"]);
    assert!(refused.contains("the signature of key 5A8AFD3DCF0CF371 (acme) does not fit"), "{refused}");
    let inspected = environment.ok(&["plugin", "inspect", "module.wasm"]);
    expect![[r#"
        plugin     projection, ABI 0.1.0; --describe asks it for its name
        digest     DIGEST
        imports    polyfold:plugin/types@0.1.0 (types alone)
        file       module of 167 B, 1 module: 3 functions, 12 B of code, 0 B of data
        memory     64.00 KiB from the beginning, 256.00 MiB allowed
        module     no name: 3 functions, 12 B of code, 0 B of data, memory 64.00 KiB and more
    "#]]
    .assert_eq(&environment.scrub(&inspected));
}

#[test]
fn a_catalogue_without_signatures_opens() {
    let environment = Environment::new();
    environment.install(&["event-counts"]);
    let path = environment.dir.path().join("catalogue.json");
    let text = std::fs::read_to_string(&path).unwrap();
    // An unsigned plugin's entry is what it always was.
    assert!(!text.contains("signature") && !text.contains("source"), "{text}");
    let fields = ["digest", "kind", "name", "version", "description", "abi", "bytes"];
    let entry = serde_json::from_str::<serde_json::Value>(&text).unwrap()["plugins"][0].clone();
    assert_eq!(entry.as_object().unwrap().len(), fields.len(), "{entry}");
    assert!(environment.ok(&["plugin", "list"]).contains("unsigned"));
}

#[test]
fn an_installed_plugin_shows_what_it_says_and_what_it_is_given() {
    let environment = Environment::new();
    environment.install(&["renames"]);
    let inspected = environment.scrub(&environment.ok(&["plugin", "inspect", "renames"]));
    // Sizes and tools are another matter in each build.
    let (said, parts) = inspected.split_once("file ").unwrap();
    for part in ["functions, ", "from the beginning, 256.00 MiB allowed", "Rust", "wit-component", "producers "] {
        assert!(parts.contains(part), "{part}: {parts}");
    }
    expect![[r#"
        plugin     renames@0.1.0, upcaster
        makes      order.placed becomes order.created
        digest     DIGEST
        signature  unsigned
        ABI        0.1.0, exported as polyfold:plugin/upcaster@0.1.0
        imports    polyfold:plugin/types@0.1.0 (types alone)
        imports    wasi:io/poll@0.2.6, wasi:io/error@0.2.6, wasi:io/streams@0.2.6 (within the call)
        imports    wasi:cli/environment@0.2.6 (no variables and no arguments)
        imports    wasi:cli/exit@0.2.6 (ends the call as a trap does)
        imports    wasi:cli/stdin@0.2.6 (is empty)
        imports    wasi:cli/stdout@0.2.6, wasi:cli/stderr@0.2.6 (kept with the call, cut, shown with a fault)
        imports    wasi:cli/terminal-input@0.2.6, wasi:cli/terminal-output@0.2.6, wasi:cli/terminal-stdin@0.2.6, wasi:cli/terminal-stdout@0.2.6, wasi:cli/terminal-stderr@0.2.6 (no terminal)
        step       order.placed from schema version 1 to 2 as order.created
    "#]].assert_eq(said);
}

#[test]
fn a_file_is_listed_without_being_run() {
    let environment = Environment::new();
    // Its describe never ends, and nobody notices.
    copy(&environment, "loops_in_describe", "loops.wasm");
    let listed = environment.ok(&["plugin", "inspect", "loops.wasm"]);
    assert!(listed.contains("projection, ABI 0.1.0; --describe asks it for its name"), "{listed}");
    assert!(listed.contains("no variables and no arguments") && listed.contains("wit-component"), "{listed}");
    let asked = environment.run(&["plugin", "inspect", "loops.wasm", "--describe"]);
    assert!(asked.contains("used up its fuel") && asked.contains("exit 4"), "{asked}");
    let json = environment.ok(&["--json", "plugin", "inspect", "loops.wasm"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["contents"]["form"], "component");
    copy(&environment, "imports_refused", "refused.wasm");
    let refused = environment.ok(&["plugin", "inspect", "refused.wasm"]);
    assert!(refused.contains("none that this host can run: it imports what this host does not offer"), "{refused}");
    environment.file("nothing.wasm", "nothing");
    assert!(environment.run(&["plugin", "inspect", "nothing.wasm"]).contains("exit 4"));
}
