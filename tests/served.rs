//! Every command works the same whether a host serves the data directory or not.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::guests;
use crate::host::flights;
use crate::program::Environment;

/// A host that serves an environment's directory.
pub(crate) struct Serving(Child);

impl Serving {
    /// Starts a host and returns when its socket answers.
    pub(crate) fn start(environment: &Environment) -> Self {
        let mut command = environment.command(&["serve"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let give_up = Instant::now() + Duration::from_secs(60);
        while UnixStream::connect(environment.dir.path().join("socket")).is_err() {
            if child.try_wait().unwrap().is_some() || Instant::now() > give_up {
                child.kill().unwrap();
                let said = child.wait_with_output().unwrap();
                panic!("the host does not serve: {}", String::from_utf8_lossy(&said.stderr));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Self(child)
    }

    /// Asks the host to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "the host ended with {status}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A session that uses every command; a word of arguments never holds a space.
const SESSION: &[&str] = &[
    "append order/1 order.placed {\"euros\":10} --id a --expect none --tag x --metadata k=v --actor me",
    "append order/1 order.placed {\"euros\":10} --id a --expect none",
    "append order/1 order.placed {\"euros\":11} --id a",
    "append order/1 order.paid --expect none --id b",
    "append order/1 order.paid --expect 1 --id b",
    "append order/1 order.paid {broken",
    "--json append order/2 order.paid null --id c",
    "import bad.ndjson",
    "import bad.ndjson --skip-bad",
    "import missing.ndjson",
    "import packed.gz --json",
    "import cut.gz",
    "import flights.ndjson",
    "import flights.ndjson",
    "read --limit 3",
    "read --stream order/1 --since 1",
    "read --stream order/1 --json --limit 1",
    "read --type order.paid --category order",
    "read --recorded-since 2001-01-01T00:00:00Z --recorded-until 2002-01-01T00:00:00Z",
    "read --since 2 --to 5 --upcast",
    "tail --last 2 --to 5 --since 3 --json",
    "tail --limit 2",
    "export --to 4",
    "export --to 4 --output exported.ndjson",
    "export --to 4 --output exported.ndjson",
    "log status",
    "log verify",
    "plugin list",
    "plugin install garbage.wasm",
    "plugin install event-counts.wasm",
    "plugin install event-counts.wasm",
    "plugin install returns-error.wasm",
    "plugin install keeps-global.wasm",
    "plugin list",
    "plugin inspect event-counts",
    "plugin inspect event-counts.wasm --json",
    "plugin inspect nothing",
    "projection list",
    "projection create counts --plugin event-counts --parameters []",
    "projection create counts --plugin nothing",
    "projection create counts --plugin event-counts",
    "projection create counts --plugin event-counts",
    "projection create halting --plugin returns-error",
    "append order/1 order.placed {\"bad\":true} --id bad",
    "projection create skipping --plugin returns-error --on-fault skip",
    "projection list",
    "projection status",
    "projection get counts type/order.placed",
    "projection get counts type/nothing",
    "projection get nothing key",
    "projection get halting type/order.placed",
    "projection get counts type/order.placed --stale --json",
    "projection scan counts --limit 2",
    "projection scan counts --view types --json",
    "projection scan counts --prefix category/ --after category/a",
    "projection scan counts --view nothing",
    "projection faults halting",
    "projection faults counts",
    "projection rebuild counts",
    "projection verify counts",
    "plugin install renames.wasm",
    "projection get counts type/order.created",
    "plugin remove event-counts",
    "plugin remove renames",
    "projection get counts type/order.placed",
    "projection delete halting",
    "projection delete halting",
    "projection delete counts",
    "plugin remove event-counts",
    "plugin remove event-counts",
];

/// Upgrades, as one builds, compares and undoes them.
const UPGRADES: &[&str] = &[
    "plugin install event-counts.wasm",
    "plugin install ledger.wasm",
    "append account/1 booked {\"amount\":10} --id 1",
    "append account/2 booked {\"amount\":2000} --id 2",
    "projection create sums --plugin ledger",
    "projection promote sums",
    "projection rollback sums",
    "projection abandon sums",
    "projection compare sums",
    "projection upgrade sums --parameters {\"a\":1}",
    "projection compare sums",
    "projection list",
    "projection abandon sums",
    "plugin install ledger-v2.wasm",
    "projection upgrade sums",
    "projection get sums total",
    "projection compare sums --limit 2",
    "projection compare sums --limit 1 --no-first-difference --json",
    "projection compare sums --after count",
    "append account/1 booked {\"amount\":5} --id 3",
    "projection promote sums",
    "projection get sums total",
    "projection status sums",
    "projection compare sums --limit 1 --no-first-difference",
    "append account/1 booked {\"amount\":7} --id 4",
    "projection rollback sums",
    "projection get sums total",
    "projection upgrade sums --auto-promote",
    "projection scan sums",
    "append account/1 booked {\"amount\":13} --id 5",
    "projection upgrade sums --plugin ledger@0.1.0 --fuel-per-event 5000000",
    "projection promote sums",
    "append account/1 booked {\"amount\":1} --id 6",
    "projection get sums total",
    "projection abandon sums",
    "projection upgrade nothing",
    "projection upgrade sums --plugin nothing",
    "projection create at-once --plugin event-counts --sync",
    "append account/1 booked {\"amount\":1} --id 7 --no-wait",
    "projection get at-once type/booked --stale",
];

fn prepare() -> Environment {
    let environment = Environment::new();
    environment.file("bad.ndjson", "{\"stream\":\"a/1\",\"type\":\"t\",\"id\":\"2\"}\n{\"stream\":\"a/1\"}\n");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"stream\":\"z/1\",\"type\":\"t\",\"id\":\"z\"}\n").unwrap();
    let packed = packed.finish().unwrap();
    environment.file("packed.gz", &packed);
    environment.file("cut.gz", &packed[..packed.len() - 9]);
    environment.file("flights.ndjson", flights(2_000).as_bytes());
    environment.file("garbage.wasm", "nothing");
    for (guest, file) in [
        ("event-counts", "event-counts.wasm"),
        ("ledger", "ledger.wasm"),
        ("ledger_v2", "ledger-v2.wasm"),
        ("returns_error", "returns-error.wasm"),
        ("keeps_global", "keeps-global.wasm"),
        ("renames", "renames.wasm"),
    ] {
        std::fs::copy(guests::path(guest), environment.files.path().join(file)).unwrap();
    }
    environment
}

/// What each command of a session says.
fn transcript(environment: &Environment, session: &[&str]) -> Vec<String> {
    let run = |command: &&str| {
        let arguments: Vec<&str> = command.split(' ').collect();
        format!("$ {command}\n{}", facts(&environment.run(&arguments)))
    };
    session.iter().map(run).collect()
}

/// All but what may differ: sizes of files, and fuel, which depends on where batches were cut; and a state that a host
/// keeps live is at rest where no host runs.
fn facts(said: &str) -> String {
    const MEASURED: [&str; 6] = ["blocks ", "indexes ", "file ", "events ", "fuel ", "entries "];
    let lines = said.lines().filter(|line| !MEASURED.iter().any(|name| line.starts_with(name)));
    lines.fold(String::new(), |text, line| text + &line.replace("caught up", "live") + "\n")
}

#[track_caller]
fn check(session: &[&str]) {
    let alone = transcript(&prepare(), session);
    let environment = prepare();
    let serving = Serving::start(&environment);
    let served = transcript(&environment, session);
    serving.stop();
    for (served, alone) in served.iter().zip(&alone) {
        assert!(served == alone, "with a host:\n{served}\nwithout:\n{alone}");
    }
}

#[test]
fn a_session_says_the_same_with_a_host_and_without() {
    check(SESSION);
}

#[test]
fn upgrades_say_the_same_with_a_host_and_without() {
    check(UPGRADES);
}

/// An author's builds go into the file one after the other.
fn watches(environment: &Environment) {
    let file = |name: &str| environment.files.path().join(name);
    let build = |name: &str| {
        std::fs::copy(file(name), file("watched.wasm")).unwrap();
    };
    environment.ok(&["append", "account/1", "booked", "{\"amount\":2000}"]);
    build("ledger.wasm");
    let mut command = environment.command(&["plugin", "install", "--watch", "watched.wasm", "--json"]);
    let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut rounds = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut remarks = BufReader::new(watch.stderr.take().unwrap()).lines();
    let mut round = || -> serde_json::Value { serde_json::from_str(&rounds.next().unwrap().unwrap()).unwrap() };
    let first = round();
    assert_eq!((&first["plugin"]["version"], &first["projections"]), (&"0.1.0".into(), &serde_json::json!([])));

    environment.ok(&["projection", "create", "sums", "--plugin", "ledger"]);
    assert_eq!(environment.ok(&["projection", "get", "sums", "total"]), "2000\n");
    build("garbage.wasm");
    let remark = remarks.next().unwrap().unwrap();
    assert!(remark.contains("watched.wasm: it is not a WebAssembly component"), "{remark}");
    std::fs::remove_file(file("watched.wasm")).unwrap();
    assert_eq!(remarks.next().unwrap().unwrap(), "waiting for watched.wasm");
    build("ledger-v2.wasm");
    let second = round();
    let serves = serde_json::json!([{ "name": "sums", "serves": true, "phase": "live" }]);
    assert_eq!((&second["plugin"]["version"], &second["projections"]), (&"0.2.0".into(), &serves));
    assert_eq!(environment.ok(&["projection", "get", "sums", "total"]), "4000\n");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_watched_plugin_serves_after_each_build() {
    watches(&prepare());
    let environment = prepare();
    let serving = Serving::start(&environment);
    watches(&environment);
    serving.stop();
}

/// Answers requests in turn, each with one of these texts, and closes behind the last.
fn broken_host(environment: &Environment, answers: &'static [&'static str]) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(environment.dir.path().join("socket")).unwrap();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(listener.accept().unwrap().0);
        for answer in answers {
            // A request without a body ends with an empty line.
            while lines.by_ref().lines().next().unwrap().unwrap() != "" {}
            lines.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    })
}

#[test]
fn a_part_of_an_export_does_not_pass_for_a_whole() {
    const LOG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 132\r\n\r\n{\"log_id\":\"x\",\"head\":2,\"recorded_at\":null,\
                       \"chain_head\":\"x\",\"blocks\":1,\"block_bytes\":1,\"index_runs\":1,\"index_bytes\":1,\"file_bytes\":1}";
    const PART: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"a\":1\r\n4\r\n}\n{\"\r\n";
    let environment = Environment::new();
    let host = broken_host(&environment, &[LOG, PART]);
    let said = environment.run(&["export", "--output", "part.ndjson"]);
    host.join().unwrap();
    assert!(said.starts_with("! error: the answer broke off: ") && said.ends_with("export again\nexit 1\n"), "{said}");
    assert!(!environment.files.path().join("part.ndjson").exists());
}

#[test]
fn a_socket_that_nobody_listens_at_is_passed_over() {
    let environment = Environment::new();
    drop(UnixListener::bind(environment.dir.path().join("socket")).unwrap());
    assert!(environment.ok(&["append", "a/1", "t", "--id", "x"]).contains("sequence 1"));
    assert!(environment.ok(&["read"]).contains("a/1@1"));
}

#[test]
fn a_tail_goes_on_while_hosts_come_and_go() {
    let environment = Environment::new();
    environment.ok(&["append", "a/1", "t", "--id", "1"]);
    let mut tail = environment.command(&["tail", "--limit", "4"]).stdout(Stdio::piped()).spawn().unwrap();
    let serving = Serving::start(&environment);
    environment.ok(&["append", "a/1", "t", "--id", "2"]);
    serving.stop();
    environment.ok(&["append", "a/1", "t", "--id", "3"]);
    let serving = Serving::start(&environment);
    environment.ok(&["append", "a/1", "t", "--id", "4"]);
    let mut said = String::new();
    tail.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(tail.wait().unwrap().success());
    serving.stop();
    let sequences: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(sequences, ["1", "2", "3", "4"]);
}

#[test]
fn a_host_is_found_where_the_path_is_too_long_for_a_socket() {
    let environment = Environment::new();
    let long = environment.files.path().join("d".repeat(120));
    std::fs::create_dir(&long).unwrap();
    std::os::unix::fs::symlink(guests::shared_cache(), long.join("cache")).unwrap();
    let data_dir = ["--data-dir", long.to_str().unwrap()];
    let mut command = environment.command(&[&["serve"], &data_dir[..]].concat());
    let serving = Serving(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let give_up = Instant::now() + Duration::from_secs(60);
    while !long.join("socket").exists() && Instant::now() < give_up {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    environment.ok(&[&["append", "a/1", "t", "--lock-wait", "0"], &data_dir[..]].concat());
    serving.stop();
    assert!(environment.ok(&[&["read"], &data_dir[..]].concat()).contains("a/1@1"));
}
