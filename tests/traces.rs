//! Golden traces by the command line: recorded with and without a host, replayed without either, and held against another
//! plugin.

use std::path::PathBuf;

use expect_test::expect;

use crate::guests;
use crate::program::Environment;
use crate::served::Serving;

const BOOKINGS: &str = r#"{"stream":"account/1","type":"booked","id":"1","data":{"amount":5}}
{"stream":"account/2","type":"booked","id":"2","data":{"amount":1200}}
{"stream":"account/1","type":"booked","id":"3","data":{"amount":13}}
{"stream":"account/1","type":"renamed","id":"4"}
{"stream":"account/1","type":"booked","id":"5","data":{"amount":7}}
"#;

/// A directory with five bookings, of which the ledger refuses one, and a plugin in a project.
fn bookings() -> (Environment, PathBuf) {
    let environment = Environment::new();
    environment.file("bookings.ndjson", BOOKINGS);
    environment.ok(&["import", "bookings.ndjson"]);
    environment.install(&["ledger"]);
    environment.ok(&["projection", "create", "ledger", "--on-fault", "skip"]);
    let project = environment.files.path().join("project");
    std::fs::create_dir_all(project.join("traces")).unwrap();
    let said = "[plugin]\nname = \"ledger\"\nlanguage = \"rust\"\nkind = \"projection\"\n\n\
                [build]\ncommands = []\noutput = \"ledger.wasm\"\n";
    std::fs::write(project.join("polyfold.toml"), said).unwrap();
    std::fs::copy(guests::path("ledger"), project.join("ledger.wasm")).unwrap();
    (environment, project)
}

/// All that a command says, without what differs from run to run: times, and fuel from build to build.
fn run(environment: &Environment, arguments: &[&str]) -> String {
    // Compiled code is shared, as a user's is.
    let cache = guests::shared_cache();
    let mut command = environment.command(arguments);
    let output = command.env("XDG_CACHE_HOME", cache.parent().unwrap()).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        text += &format!("! {line}\n");
    }
    let dir = environment.files.path().to_string_lossy().into_owned();
    let lines = text.lines().map(|line| match line.find(" fuel an event") {
        Some(fuel) => format!("{} …\n", &line[..line[..fuel].rfind(", ").unwrap()]),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().replace(&dir, "FILES") + &format!("exit {}\n", output.status.code().unwrap())
}

#[test]
fn a_trace_is_the_same_with_a_host_and_without() {
    let (environment, _) = bookings();
    environment.ok(&["plugin", "record", "ledger", "--output", "own.trace"]);
    let host = Serving::start(&environment);
    environment.ok(&["plugin", "record", "ledger", "--output", "served.trace.gz"]);
    host.stop();
    let path = |name: &str| environment.files.path().join(name);
    let own = std::fs::read_to_string(path("own.trace")).unwrap();
    let mut served = String::new();
    let packed = std::fs::File::open(path("served.trace.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut served).unwrap();
    assert_eq!(own, served);
    assert_eq!(own.lines().count(), 1 + 4 + 3 + 1 + 1, "{own}");
    let said = run(&environment, &["plugin", "record", "ledger", "--output", "own.trace"]);
    expect![[r#"
        ! error: own.trace exists already; name another file, or remove it first
        exit 2
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_trace_is_replayed_and_a_difference_shown_key_by_key() {
    let (environment, project) = bookings();
    environment.ok(&["plugin", "record", "ledger", "--output", "project/traces/all.trace"]);
    environment.ok(&["plugin", "record", "ledger", "-o", "project/traces/two.trace", "--since", "1", "--limit", "2"]);
    let said = run(&environment, &["plugin", "test", "project"]);
    expect![[r#"
        same    project/traces/all.trace: 4 events, cut in 5 ways, digest 854276b925e2 …
        same    project/traces/two.trace: 2 events, cut in 2 ways, digest 68f2def4af57 …
        exit 0
    "#]]
    .assert_eq(&said);

    std::fs::copy(guests::path("ledger_doubling"), project.join("ledger.wasm")).unwrap();
    let said = run(&environment, &["plugin", "test", "project"]);
    expect![[r#"
        DIFFERS project/traces/all.trace: 4 events, cut in 7 ways, digest a25a8e20f6e5, not 854276b925e2 …
          ~ balance/account/1   (changed last by event 5)
            - 12
            + 25
          ~ balance/account/2   (changed last by event 2)
            - 1200
            + 2400
          ~ total   (changed last by event 5)
            - 1212
            + 2425
          - event 3: fails, error: booked, schema version 1: this amount is refused
        DIFFERS project/traces/two.trace: 2 events, cut in 3 ways, digest f9e6a738d0bc, not 68f2def4af57 …
          + balance/account/1: 13   (changed last by event 3)
          ~ balance/account/2   (changed last by event 2)
            - 1200
            + 2400
          ~ total   (changed last by event 3)
            - 1200
            + 2413
          - event 3: fails, error: booked, schema version 1: this amount is refused
        ! error: traces that differ: 2 of 2; `--update` writes what the plugin makes now
        exit 5
    "#]]
    .assert_eq(&said);
    let said =
        run(&environment, &["plugin", "test", "project", "project/traces/all.trace", "--limit", "1", "--update"]);
    expect![[r#"
        updated project/traces/all.trace: 4 events, cut in 7 ways, digest a25a8e20f6e5, not 854276b925e2 …
          ~ balance/account/1   (changed last by event 5)
            - 12
            + 25
          … 3 more; --limit shows them
        exit 0
    "#]]
    .assert_eq(&said);
    let plugin = guests::path("ledger_doubling");
    let said = run(&environment, &["plugin", "test", "--plugin", plugin.to_str().unwrap(), "project/traces/all.trace"]);
    expect![[r#"
        same    project/traces/all.trace: 4 events, cut in 7 ways, digest a25a8e20f6e5 …
        exit 0
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_result_that_depends_on_the_cut_is_found() {
    let (environment, _) = bookings();
    environment.install(&["keeps_global"]);
    environment.ok(&["projection", "create", "keeps-global"]);
    environment.ok(&["plugin", "record", "keeps-global", "-o", "global.trace"]);
    let plugin = guests::path("keeps_global");
    let said = run(&environment, &["plugin", "test", "--plugin", plugin.to_str().unwrap(), "global.trace", "--update"]);
    expect![[r#"
        DIFFERS global.trace: 5 events, cut in 2 ways, digest 23d3dfbc8015 …
          the result depends on how events are cut into calls. With one event a call:
          ~ seen/booked   (changed last by event 5)
            - 5
            + 1
          ~ seen/renamed   (changed last by event 4)
            - 4
            + 1
        ! error: traces that differ: 1 of 1; their results depend on how events are cut into calls, so there is nothing to write
        exit 5
    "#]].assert_eq(&said);
}

#[test]
fn an_upcasters_own_steps_are_recorded() {
    let environment = Environment::new();
    environment.file("flights.ndjson", crate::host::flights(20).as_bytes());
    environment.ok(&["import", "flights.ndjson"]);
    environment.install(&["flights-v2"]);
    environment.ok(&["plugin", "record", "--upcaster", "flights-v2", "-o", "up.trace", "--limit", "5"]);
    let plugin = guests::path("flights-v2");
    let said = run(&environment, &["plugin", "test", "--plugin", plugin.to_str().unwrap(), "up.trace"]);
    assert!(said.starts_with("same    up.trace: 5 events, cut in "), "{said}");
    let counts = guests::path("event-counts");
    let said = run(&environment, &["plugin", "test", "--plugin", counts.to_str().unwrap(), "up.trace"]);
    expect![[r#"
        ! error: up.trace: plugin "event-counts@0.1.0" is a projection, but an upcaster is needed here
        exit 2
    "#]]
    .assert_eq(&said);
}

#[test]
fn what_cannot_be_tested_says_what_to_do() {
    let (environment, project) = bookings();
    environment.ok(&["plugin", "record", "ledger", "-o", "good.trace"]);
    let good = std::fs::read_to_string(environment.files.path().join("good.trace")).unwrap();
    environment.file("newer.trace", good.replace("trace 2", "trace 9"));
    environment.file("edited.trace", good.replace("\"value\":1212", "\"value\":1213"));
    environment.file("cut.trace", &good[..good.len() / 2]);
    let plugin = guests::path("ledger");
    let plugin = plugin.to_str().unwrap();
    let mut said = String::new();
    for arguments in [
        &["plugin", "test"][..],
        &["plugin", "test", "project"],
        &["plugin", "test", "--plugin", plugin],
        &["plugin", "test", "--plugin", "good.trace", "good.trace"],
        &["plugin", "test", "--plugin", plugin, "newer.trace"],
        &["plugin", "test", "--plugin", plugin, "edited.trace"],
        &["plugin", "test", "--plugin", plugin, "cut.trace"],
        &["plugin", "test", "--plugin", plugin, "missing.trace"],
        &["plugin", "record", "ledger"],
        &["plugin", "record", "nothing", "-o", "x.trace"],
        &["plugin", "record", "--upcaster", "ledger", "-o", "x.trace"],
    ] {
        let line = arguments.join(" ").replace(plugin, "PLUGIN");
        said += &format!("$ {line}\n{}", run(&environment, arguments).replace(plugin, "PLUGIN"));
    }
    std::fs::remove_file(project.join("ledger.wasm")).unwrap();
    said += &run(&environment, &["plugin", "test", "project"]);
    expect![[r#"
        $ plugin test
        ! error: there is no polyfold.toml in .: go to a project's folder or name it, or make one with `polyfold plugin new NAME --language LANGUAGE` (assemblyscript, c, go, javascript, python, rust, typescript, zig)
        exit 2
        $ plugin test project
        ! error: project/traces has no traces; `polyfold plugin record` writes one
        exit 2
        $ plugin test --plugin PLUGIN
        ! error: name the traces to replay against the plugin
        exit 2
        $ plugin test --plugin good.trace good.trace
        ! error: good.trace: it is not a WebAssembly component: it does not start with \0asm, as WebAssembly does
        exit 4
        $ plugin test --plugin PLUGIN newer.trace
        ! error: newer.trace:1: it is a "polyfold trace 9", and this polyfold reads none newer than "polyfold trace 2"; take the polyfold that wrote it
        exit 4
        $ plugin test --plugin PLUGIN edited.trace
        ! error: edited.trace:10: the digest is that of another result (854276b925e2, not 1accb82d8eb3); undo what was edited, or record the trace again
        exit 4
        $ plugin test --plugin PLUGIN cut.trace
        ! error: cut.trace:4: it is no line of a trace: EOF while parsing a string
        exit 4
        $ plugin test --plugin PLUGIN missing.trace
        ! error: missing.trace: No such file or directory (os error 2)
        exit 1
        $ plugin record ledger
        ! error: the following required arguments were not provided:
        !   --output <FILE>
        ! 
        ! Usage: polyfold plugin record --output <FILE> --data-dir <DIR> <PROJECTION>
        ! 
        ! For more information, try '--help'.
        exit 2
        $ plugin record nothing -o x.trace
        ! error: no projection "nothing"; `polyfold projection list` shows those that there are
        exit 3
        $ plugin record --upcaster ledger -o x.trace
        ! error: plugin "ledger" is a projection, but an upcaster is needed here
        exit 4
        ! error: project/traces has no traces; `polyfold plugin record` writes one
        exit 2
    "#]].assert_eq(&said);
}
