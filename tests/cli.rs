//! The command line as people and programs see it: what it prints, on which stream, and the exit code.

use std::fmt::Write as _;
use std::io::Write as _;

use expect_test::{Expect, expect};
use polyfold::engine::{Engine, Options};

use crate::guests;
use crate::host::flights;
use crate::program::Environment;

/// Runs commands, words parted by spaces, and compares all that they say.
fn check(environment: &Environment, commands: &[&str], expected: Expect) {
    let mut transcript = String::new();
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        write!(transcript, "$ {command}\n{}", environment.run(&arguments)).unwrap();
    }
    expected.assert_eq(&transcript);
}

#[test]
fn help_names_every_command_and_exit_code() {
    check(
        &Environment::new(),
        &["help", "nonsense"],
        expect![[r#"
            $ help
            A host for projections: an append-only event log, and WebAssembly plugins that fold it into state.

            Append or import events, install plugins, create projections, and query what they made. All data
            lies in one directory, which is made on first use.

            Usage: polyfold [OPTIONS] <COMMAND>

            Commands:
              serve        Run the host of the data directory, which every other command then talks to
              append       Append one event
              import       Import events from NDJSON, gzip or not: polyfold's own form or CloudEvents 1.0
              read         Print events
              tail         Print the newest events, and those to come
              export       Write events as NDJSON, in the form that `import` takes
              backup       Back up a data directory, check and list backups
              restore      Make a data directory of a backup, as it was at its end or at a time
              forget       Forget an encrypted stream
              redact       Redact events: drop their payloads from the log and everything made of them
              keys         List, export and import the keys of encrypted streams
              plugin       Write, build, install, inspect and remove plugins
              projection   Create, query and check projections
              log          Show and check the event log
              retention    Show what the log keeps of payloads, and drop what it need not keep
              archive      List, check and read the archive of what retention dropped, or put it back
              receipt      Check receipts and proofs, and show the key that signs those of this host
              token        Make, list and revoke tokens for clients on other machines
              trust        Say whose plugins are trusted, and whether only those may be installed and run
              config       Show every setting, its value, and where it comes from
              completions  Print a completion script for a shell
              help         Print this message or the help of the given subcommand(s)

            Options:
                  --data-dir <DIR>
                      The directory that holds log, plugins and states [default: polyfold-data]

                      [env: POLYFOLD_DATA_DIR=DATA]

                  --config <FILE>
                      A TOML file with settings [default: polyfold.toml in the data directory, if there is one]

                      [env: POLYFOLD_CONFIG=]

                  --lock-wait <SECONDS>
                      How long to wait for another process to let go of the data directory [default: 10]

                      [env: POLYFOLD_LOCK_WAIT=]

                  --log <FILTER>
                      What to log: a level, or a filter such as `info,polyfold::server=debug` [default: off;
                      info for serve]

                      [env: POLYFOLD_LOG=]

                  --log-format <FORMAT>
                      How the log looks [default: human]

                      [env: POLYFOLD_LOG_FORMAT=]
                      [possible values: human, json]

                  --json
                      Print data as JSON, one object a line

              -q, --quiet
                      Print no progress and no remarks, only data and errors

              -h, --help
                      Print help (see a summary with '-h')

              -V, --version
                      Print version

            Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such plugin, projection or key; 4 the events or
            plugin were refused; 5 damage or a difference was found; 6 the data directory is in use; 7 a build
            needs what is not on this machine.
            exit 0
            $ nonsense
            ! error: unrecognized subcommand 'nonsense'
            !
            ! Usage: polyfold [OPTIONS] <COMMAND>
            !
            ! For more information, try '--help'.
            exit 2
        "#]],
    );
}

#[test]
fn events_are_appended_once() {
    let environment = Environment::new();
    let commands = [
        "append order/1 order.placed {\"euros\":10} --id a --expect none",
        "append order/1 order.placed {\"euros\":10} --id a --expect none",
        "append order/1 order.placed {\"euros\":11} --id a",
        "append order/1 order.paid --expect none --id b",
        "append order/1 order.paid --expect 1 --id b",
        "append order/1 order.paid {broken",
        "append order order.paid",
        "--json append order/2 order.paid null --id c",
        "append order/2 order.paid",
        "read --limit 3",
        "--json read --stream order/1 --limit 1",
        "read --type order.paid --category nothing",
        "read --since 1 --to 2",
        "tail --last 1 --limit 1 --json --type order.paid --to 2 --since 1",
        "log status nonsense",
    ];
    check(
        &environment,
        &commands,
        expect![[r#"
            $ append order/1 order.placed {"euros":10} --id a --expect none
            sequence 1, order/1 version 1, id a
            exit 0
            $ append order/1 order.placed {"euros":10} --id a --expect none
            sequence 1, order/1 version 1, id a (it was there before)
            exit 0
            $ append order/1 order.placed {"euros":11} --id a
            ! error: event id "a" is taken by another event at sequence 1; a new event needs a new id
            exit 4
            $ append order/1 order.paid --expect none --id b
            ! error: stream "order/1" is at version 1, the append expects no stream; read it again and decide anew
            exit 4
            $ append order/1 order.paid --expect 1 --id b
            sequence 2, order/1 version 2, id b
            exit 0
            $ append order/1 order.paid {broken
            ! error: payload: not valid JSON: key must be a string at line 1 column 2
            exit 4
            $ append order order.paid
            ! error: invalid value 'order' for '<STREAM>': "order" is not a valid stream name: it must have the form category/name
            !
            ! For more information, try '--help'.
            exit 2
            $ --json append order/2 order.paid null --id c
            {"sequence":3,"stream":"order/2","version":1,"id":"c","duplicate":false}
            exit 0
            $ append order/2 order.paid
            sequence 4, order/2 version 2, id UUID
            exit 0
            $ read --limit 3
            1  TIME  order/1@1  order.placed v1  {"euros":10}
            2  TIME  order/1@2  order.paid v1  null
            3  TIME  order/2@1  order.paid v1  null
            ! there are more; --limit says how many to print (now 3)
            exit 0
            $ --json read --stream order/1 --limit 1
            {"sequence":1,"id":"a","stream":"order/1","version":1,"type":"order.placed","schema_version":1,"recorded_at":"TIME","data":{"euros":10}}
            ! there are more; --limit says how many to print (now 1)
            exit 0
            $ read --type order.paid --category nothing
            exit 0
            $ read --since 1 --to 2
            2  TIME  order/1@2  order.paid v1  null
            exit 0
            $ tail --last 1 --limit 1 --json --type order.paid --to 2 --since 1
            {"sequence":2,"id":"b","stream":"order/1","version":2,"type":"order.paid","schema_version":1,"recorded_at":"TIME","data":null}
            exit 0
            $ log status nonsense
            ! error: unexpected argument 'nonsense' found
            !
            ! Usage: polyfold log status [OPTIONS]
            !
            ! For more information, try '--help'.
            exit 2
        "#]],
    );
}

#[test]
fn imports_are_all_or_nothing() {
    let environment = Environment::new();
    environment.file("good.ndjson", "{\"stream\":\"a/1\",\"type\":\"t\",\"id\":\"1\",\"data\":{\"b\":1,\"a\":2}}\n\n");
    environment.file("bad.ndjson", "{\"stream\":\"a/1\",\"type\":\"t\",\"id\":\"2\"}\n{\"stream\":\"a/1\"}\n");
    environment.file("taken.ndjson", "{\"stream\":\"a/1\",\"type\":\"other\",\"id\":\"1\"}\n");
    let cloud = "{\"specversion\":\"1.0\",\"id\":\"9\",\"source\":\"https://shop.example/orders\",\"type\":\"placed\",\
                 \"subject\":\"17\",\"data\":{\"x\":1}}\n";
    environment.file("cloud.ndjson", cloud);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"stream\":\"z/1\",\"type\":\"t\",\"id\":\"z\"}\n").unwrap();
    environment.file("packed", packed.finish().unwrap());
    let commands = [
        "import good.ndjson",
        "import good.ndjson",
        "import bad.ndjson",
        "import bad.ndjson --skip-bad",
        "import taken.ndjson",
        "import cloud.ndjson --json",
        "import packed",
        "import missing.ndjson",
    ];
    check(
        &environment,
        &commands,
        expect![[r#"
            $ import good.ndjson
            imported 1 event; the log ends at sequence 1
            exit 0
            $ import good.ndjson
            imported 0 events, 1 were there before; the log ends at sequence 1
            exit 0
            $ import bad.ndjson
            ! error: line 2: not valid JSON: missing field `type` at line 1 column 16; nothing was imported (--skip-bad imports the other lines)
            exit 4
            $ import bad.ndjson --skip-bad
            imported 1 event, 1 line skipped; the log ends at sequence 2
            ! warning: line 2: not valid JSON: missing field `type` at line 1 column 16; skipped
            exit 0
            $ import taken.ndjson
            ! error: line 1: event id "1" is taken by another event at sequence 1; a new event needs a new id; nothing was imported (--skip-bad imports the other lines)
            exit 4
            $ import cloud.ndjson --json
            {"appended":1,"duplicates":0,"skipped":0,"head":3}
            exit 0
            $ import packed
            imported 1 event; the log ends at sequence 4
            exit 0
            $ import missing.ndjson
            ! error: missing.ndjson: No such file or directory (os error 2)
            exit 1
        "#]],
    );
    expect![[r#"
        imported 1 event; the log ends at sequence 5
        exit 0
    "#]]
    .assert_eq(&environment.run_with(&["import", "-"], "{\"stream\":\"s/1\",\"type\":\"t\",\"id\":\"s\"}\n"));
    expect![[r#"
        {"sequence":3,"id":"https://shop.example/orders 9","stream":"shop.example.orders/17","version":1,"type":"placed","schema_version":1,"recorded_at":"TIME","metadata":{"source":"https://shop.example/orders","subject":"17"},"data":{"x":1}}
        exit 0
    "#]].assert_eq(&environment.run(&["read", "--limit", "2", "--type", "placed", "--json"]));
}

#[test]
fn what_is_exported_can_be_imported() {
    let one = Environment::new();
    let file = one.file("flights.ndjson", flights(500).as_bytes());
    one.ok(&["import", file.to_str().unwrap()]);
    one.ok(&["append", "order/1", "order.placed", "{\"a\":[1,2.5,null]}", "--tag", "x", "--metadata", "k=v"]);
    let exported = one.ok(&["export"]);
    let two = Environment::new();
    two.output(&["import", "-"], &exported);
    // All but the time at which the log took it.
    let facts = |text: &str| -> Vec<serde_json::Value> {
        let event = |line: &str| {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["recorded_at"] = serde_json::Value::Null;
            event
        };
        text.lines().map(event).collect()
    };
    assert_eq!(facts(&exported).len(), 501);
    assert_eq!(facts(&two.ok(&["export"])), facts(&exported));
}

#[test]
fn plugins_are_checked_listed_and_removed() {
    let environment = Environment::new();
    environment.file("garbage.wasm", "nothing");
    environment.file("core.wasm", b"\0asm\x01\0\0\0");
    std::fs::copy(guests::path("imports_refused"), environment.files.path().join("refused.wasm")).unwrap();
    std::fs::copy(guests::path("renames"), environment.files.path().join("renames.wasm")).unwrap();
    std::fs::copy(guests::path("traps"), environment.files.path().join("traps.wasm")).unwrap();
    let commands = [
        "plugin list",
        "plugin install garbage.wasm",
        "plugin install core.wasm",
        "plugin install refused.wasm",
        "plugin install renames.wasm",
        "plugin install renames.wasm",
        "plugin install traps.wasm",
        "plugin inspect nothing",
        "projection create traps",
        "plugin remove traps",
        "plugin remove renames",
        "projection delete traps",
    ];
    check(
        &environment,
        &commands,
        expect![[r#"
            $ plugin list
            ! no plugins are installed; `polyfold plugin install FILE` installs one
            exit 0
            $ plugin install garbage.wasm
            ! error: garbage.wasm: it is not a WebAssembly component: it does not start with \0asm, as WebAssembly does
            exit 4
            $ plugin install core.wasm
            ! error: core.wasm: it is a core WebAssembly module that does not say which plugin it is: it exports nothing; build it with a kit of guest-sdk (`polyfold plugin new` writes a project), or with a generator of component bindings
            exit 4
            $ plugin install refused.wasm
            ! error: refused.wasm: it imports what this host does not offer: test:outside/network@0.1.0 (not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`)
            exit 4
            $ plugin install renames.wasm
            upcaster renames@0.1.0 installed, digest DIGEST, unsigned
            exit 0
            $ plugin install renames.wasm
            upcaster renames@0.1.0 was installed before, digest DIGEST, unsigned
            exit 0
            $ plugin install traps.wasm
            projection traps@0.1.0 installed, digest DIGEST, unsigned
            exit 0
            $ plugin inspect nothing
            ! error: no plugin "nothing" is installed; `polyfold plugin list` shows those that are
            exit 3
            $ projection create traps
            projection traps: 0 entries at sequence 0, live
            exit 0
            $ plugin remove traps
            ! error: plugin "traps" is used by projection "traps"; delete the projection first
            exit 4
            $ plugin remove renames
            upcaster renames@0.1.0 removed, digest DIGEST
            ! projection "traps" sees other events now and is built anew
            exit 0
            $ projection delete traps
            ! projection "traps" deleted
            exit 0
        "#]],
    );
}

#[test]
fn projections_live_from_create_to_delete() {
    let environment = Environment::new();
    environment.install(&["event-counts", "returns_error", "keeps_global"]);
    environment.ok(&["append", "order/1", "order.placed", "{}"]);
    environment.ok(&["append", "order/1", "order.placed", "{\"bad\":true}"]);
    let commands = [
        "projection list",
        "projection create counts --plugin event-counts --parameters []",
        "projection create counts --plugin nothing",
        "projection create counts --plugin event-counts",
        "projection create counts --plugin event-counts",
        "projection get counts type/order.placed",
        "projection get counts type/nothing",
        "projection get nothing key",
        "projection scan counts --limit 1",
        "projection scan counts --view types --json",
        "projection scan counts --view nothing",
        "projection create halting --plugin returns-error",
        "projection create skipping --plugin returns-error --on-fault skip",
        "projection faults halting",
        "projection faults counts",
        "projection get halting type/order.placed",
        "append order/1 order.paid --id last",
        "projection list",
        "projection rebuild counts",
        "projection verify counts",
        "projection create keeps-global",
        "projection delete counts",
        "projection delete counts",
    ];
    check(
        &environment,
        &commands,
        expect![[r#"
            $ projection list
            ! there are no projections; `polyfold projection create NAME --plugin PLUGIN` makes one
            exit 0
            $ projection create counts --plugin event-counts --parameters []
            ! error: parameters must be a JSON object: []
            exit 2
            $ projection create counts --plugin nothing
            ! error: no plugin "nothing" is installed; `polyfold plugin list` shows those that are
            exit 3
            $ projection create counts --plugin event-counts
            projection counts: 2 entries at sequence 2, live
            exit 0
            $ projection create counts --plugin event-counts
            ! error: projection "counts" exists already; delete it first, or choose another name
            exit 4
            $ projection get counts type/order.placed
            {"count":2,"first_sequence":1,"last_sequence":2}
            exit 0
            $ projection get counts type/nothing
            ! error: projection "counts" has no entry "type/nothing"
            exit 3
            $ projection get nothing key
            ! error: no projection "nothing"; `polyfold projection list` shows those that there are
            exit 3
            $ projection scan counts --limit 1
            category/order	{"count":2,"first_sequence":1,"last_sequence":2}
            ! there are more; --limit says how many to print (now 1)
            exit 0
            $ projection scan counts --view types --json
            {"key":"type/order.placed","value":{"count":2,"first_sequence":1,"last_sequence":2}}
            exit 0
            $ projection scan counts --view nothing
            ! error: projection "counts" has no view "nothing"; it has types, categories
            exit 3
            $ projection create halting --plugin returns-error
            projection halting: 1 entries at sequence 1, halted at sequence 2 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad; 1 fault, see `polyfold projection faults halting`
            ! error: projection "halting" was created, but is halted at sequence 2 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad
            exit 1
            $ projection create skipping --plugin returns-error --on-fault skip
            projection skipping: 1 entries at sequence 2, live; 1 fault, see `polyfold projection faults skipping`
            exit 0
            $ projection faults halting
            sequence 2  order/1  order.placed v1  error: it says: order.placed, schema version 1: the payload says that it is bad
              plugin: DIGEST
              fuel:
            exit 0
            $ projection faults counts
            ! projection "counts" has no faults
            exit 0
            $ projection get halting type/order.placed
            1
            ! warning: projection "halting" is halted at sequence 2 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad; this is its state at sequence 1
            exit 0
            $ append order/1 order.paid --id last
            sequence 3, order/1 version 3, id last
            ! warning: projection "halting" is halted at sequence 2 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad
            exit 0
            $ projection list
            counts                   event-counts@0.1.0       caught up, checkpoint 3
            halting                  returns-error@0.1.0      halted at sequence 2 (order.placed): error: it says: order.placed, schema version 1: the payload says that it is bad, checkpoint 1
            skipping                 returns-error@0.1.0      caught up, checkpoint 3
            exit 0
            $ projection rebuild counts
            projection counts: 3 entries at sequence 3, live
            exit 0
            $ projection verify counts
            projection "counts" is sound: 3 entries at sequence 3, rebuilt with other batch sizes, by code compiled anew, to the same digest DIGEST; 1 batch folded by both compilations, with the same fuel
            exit 0
            $ projection create keeps-global
            projection keeps-global: 2 entries at sequence 3, live
            exit 0
            $ projection delete counts
            ! projection "counts" deleted
            exit 0
            $ projection delete counts
            ! error: no projection "counts"; `polyfold projection list` shows those that there are
            exit 3
        "#]],
    );
    // Twice the same number of events in one call and in several.
    environment.ok(&["append", "order/1", "order.placed"]);
    let found = environment.run(&["projection", "verify", "keeps-global"]);
    assert!(found.contains("is not deterministic") && found.ends_with("exit 5\n"), "{found}");
    let status: serde_json::Value =
        serde_json::from_str(&environment.ok(&["--json", "projection", "status", "skipping"])).unwrap();
    assert_eq!((&status["faults"], &status["checkpoint"]), (&1.into(), &4.into()));
}

#[test]
fn a_directory_in_use_is_said_to_be() {
    let environment = Environment::new();
    let _engine = Engine::open(environment.dir.path(), &Options::default()).unwrap();
    let said = environment.run(&["--lock-wait", "0", "read"]);
    assert_eq!(
        said.replace(&std::process::id().to_string(), "PID"),
        "! error: data directory DATA is in use by process PID; wait until it is done, or use another --data-dir\nexit 6\n"
    );
}

#[test]
fn names_that_nothing_can_have_are_wrong_usage() {
    let environment = Environment::new();
    let long = "x".repeat(100_000);
    for arguments in [
        &["projection", "get", "sums", ""][..],
        &["projection", "prove", "", "key"],
        &["plugin", "inspect", ""],
        &["trust", "remove", ""],
        &["projection", "status", &long],
        &["projection", "receipt", &long],
        &["plugin", "remove", &long],
    ] {
        let output = environment.output(arguments, "");
        let said = String::from_utf8_lossy(&output.stderr);
        let (is_long, subcommand) = (arguments.contains(&long.as_str()), &arguments[..2]);
        assert_eq!(output.status.code(), Some(2), "{subcommand:?}: {said}");
        assert!(
            said.contains(if is_long { "longer than anything is named" } else { "is empty" }),
            "{subcommand:?}: {said}"
        );
    }
}

#[test]
fn a_new_data_directory_is_its_owners_alone_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (new, open) = (folder.path().join("made/by/it"), folder.path().join("open"));
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    for dir in [&new, &open] {
        drop(Engine::open(dir, &Options::default()).unwrap());
    }
    assert_eq!((mode(&new), mode(&open)), (0o700, 0o755));
}
