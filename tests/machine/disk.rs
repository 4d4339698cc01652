//! A host whose disk fails once, at any operation on any file of its directory: each request is done or refused in words,
//! nothing that was acknowledged is lost, and the next host finds all whole.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use polyfold::engine::Query;
use polyfold::event::{Digest, Filter, Sequence};
use serde_json::{Value, json};

use super::origin::{Copy, EVENTS, order, random};
use super::serving::Serving;
use super::shim::{self, Fault};
use crate::guests;
use crate::host::Host;

/// As much as a run of all tests can spare; POLYFOLD_MACHINE=all lets every operation fail in turn, which takes an hour.
const BUDGET: Duration = Duration::from_secs(45);

/// What a host said to each request: done or not.
#[derive(Debug, Default)]
struct Said {
    done: BTreeMap<&'static str, bool>,
    /// The ids of events that were acknowledged.
    acknowledged: Vec<String>,
    /// Every refusal.
    refusals: Vec<String>,
    token: Option<String>,
}

impl Said {
    /// The answer to a request that was done; a refusal must say why.
    fn ask(&mut self, host: &Serving, what: &'static str, method: &str, path: &str, body: &Value) -> Option<Value> {
        self.told(what, host.request(method, path, body))
    }

    fn told(&mut self, what: &'static str, answer: Option<(u16, Value)>) -> Option<Value> {
        let (status, answer) = answer.unwrap_or_else(|| panic!("{what}: no answer"));
        self.done.insert(what, status < 300);
        if status < 300 {
            return Some(answer);
        }
        let detail = answer["detail"].as_str().unwrap_or_else(|| panic!("{what}: {status} {answer}"));
        assert!(detail.len() > 20 && !detail.contains("panic"), "{what}: {status} {detail}");
        self.refusals.push(format!("{what}: {status} {detail}"));
        None
    }

    fn append(&mut self, host: &Serving, id: &str) -> bool {
        let is_done = self.ask(host, "append", "POST", "/events", &order(id)).is_some();
        if is_done {
            self.acknowledged.push(id.to_owned());
        }
        is_done
    }
}

/// Something of everything that a host writes.
fn scenario(host: &Serving) -> Said {
    let mut said = Said::default();
    for id in ["a-1", "a-2", "a-3"] {
        said.append(host, id);
    }
    let token = said.ask(host, "token", "POST", "/tokens", &json!({ "name": "t", "scopes": ["append"] }));
    said.token = token.and_then(|token| Some(token["id"].as_str()?.to_owned()));
    let wasm = guests::bytes("aircraft");
    said.told("install", host.send("POST", "/plugins", "application/wasm", &wasm));
    said.ask(host, "create", "POST", "/projections", &json!({ "name": "new", "plugin": "event-counts" }));
    said.append(host, "b-1");
    read(host, &mut said, "new");
    let upgrade = json!({ "fuel_per_event": 3_000_000_000_u64, "auto_promote": true });
    said.ask(host, "upgrade", "POST", "/projections/new/upgrade", &upgrade);
    said.append(host, "b-2");
    read(host, &mut said, "event-counts");
    said.ask(host, "rollback", "POST", "/projections/event-counts/rollback", &json!({}));
    said.append(host, "b-3");
    read(host, &mut said, "new");
    if let Some(token) = said.token.clone() {
        said.ask(host, "revoke", "DELETE", &format!("/tokens/{token}"), &Value::Null);
    }
    // The disk is well again: within a few tries appends are taken.
    let taken = (0..5).any(|turn| said.append(host, &format!("c-{turn}")));
    assert!(taken, "appends are refused for good: {:#?}", said.refusals);
    said
}

/// Whatever is read is right for the sequence that it says.
fn read(host: &Serving, said: &mut Said, projection: &str) {
    let head = said.acknowledged.len() as u64 + EVENTS;
    let path = format!("/projections/{projection}/state/type/order.placed?min_sequence={head}&timeout=5");
    let Some(answer) = said.ask(host, "read", "GET", &path, &Value::Null) else { return };
    let counted = answer["value"]["count"].as_u64().unwrap();
    // An append that was refused may be there all the same, so there can be more than were acknowledged.
    let refused = said.refusals.iter().filter(|refusal| refusal.starts_with("append")).count();
    let acknowledged = said.acknowledged.len();
    assert!((acknowledged..=acknowledged + refused).contains(&(counted as usize)), "{answer} {said:#?}");
}

/// What the next host finds, whose disk is well.
fn check(copy: &Copy, said: &Said) {
    let host = copy.open();
    let verified = host.log().verify(&mut |_| {}).unwrap();
    let ids = ids(&host);
    assert_eq!(verified.events, EVENTS + ids.len() as u64);
    for id in &said.acknowledged {
        assert_eq!(ids.iter().filter(|found| *found == id).count(), 1, "{id} of {ids:?}");
    }
    // What was acknowledged is there; what was refused may be, or may not.
    let was_done = |what: &str| said.done.get(what).copied().unwrap_or_default();
    let is_installed = host.installed_plugins().iter().any(|plugin| plugin.name == "aircraft");
    assert!(is_installed || !was_done("install"));
    let projections: Vec<_> = host.projections().into_iter().map(|projection| projection.name).collect();
    assert!(projections.contains(&"new".to_owned()) || !was_done("create"));
    for name in projections {
        host.settle(&name);
        let status = host.status(&name).unwrap();
        assert_eq!(status.readable.visible, host.head().sequence(), "{name}: {}", status.readable.phase);
        let verified = host.verify(&name, |_| {}).unwrap();
        assert!(verified.difference.is_none(), "{name}: {:?}", verified.difference);
    }
    drop(host);
    check_files(copy);
    let (tokens, code) = copy.run(&["token", "list"]);
    assert!(code == Some(0) && tokens.contains("reader"), "{tokens}");
    if let Some(token) = &said.token {
        assert!(tokens.contains(token) || was_done("revoke") || said.done.contains_key("revoke"), "{tokens}");
        assert!(!tokens.contains(token) || !was_done("revoke"), "{tokens}");
    }
}

fn ids(host: &Host) -> Vec<String> {
    let (mut query, mut ids) = (Query { from: Sequence(EVENTS + 1), to: None, filter: Filter::all() }, Vec::new());
    while query.from <= host.head().sequence() {
        let page = host.log().reader().unwrap().read(&query, 100, 1 << 20).unwrap();
        ids.extend(page.batch.iter().map(|event| event.envelope().unwrap().id.to_owned()));
        query.from = page.next;
    }
    ids
}

/// No file is half of one: a plugin's file is what its name says.
fn check_files(copy: &Copy) {
    for path in copy.files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(digest) = name.strip_suffix(".wasm") {
            assert_eq!(Digest::of(&std::fs::read(&path).unwrap()).to_string(), digest);
        }
    }
}

/// One host with one failure; says what failed, if there were so many operations.
fn case(fault: Fault, at: usize) -> shim::Tally {
    let copy = Copy::new();
    let mut command = copy.command(&["serve", "--listen", "127.0.0.1:0"]);
    shim::fail(&mut command, &copy.path(), fault, at, &copy.beside("tally"));
    match Serving::spawn(&copy, command) {
        Ok(host) => {
            let said = scenario(&host);
            host.stop();
            let tally = shim::tally(&copy.beside("tally"));
            check(&copy, &said);
            tally
        }
        Err(said) => {
            let tally = shim::tally(&copy.beside("tally"));
            assert!(tally.struck.is_some(), "the host did not start: {said}");
            // It names a file of the directory, or the log.
            let dir = copy.path().to_string_lossy().into_owned();
            assert!(said.contains("error: ") && (said.contains(&dir) || said.contains("the log")), "{said}");
            check(&copy, &Said::default());
            tally
        }
    }
}

#[test]
fn whatever_file_operation_fails_nothing_acknowledged_is_lost_and_the_next_host_finds_all_whole() {
    let mut random = random();
    let totals = Fault::ALL.map(|fault| (fault, case(fault, 0).total));
    println!("operations: {totals:?}");
    let mut struck = BTreeMap::<String, usize>::new();
    let mut run = |fault: Fault, at: usize| {
        println!("{fault:?} at {at}");
        if let Some(what) = case(fault, at).struck {
            println!("  {what}");
            *struck.entry(what.split(' ').next().unwrap().to_owned()).or_default() += 1;
        }
    };
    if std::env::var("POLYFOLD_MACHINE").is_ok_and(|which| which == "all") {
        totals.iter().for_each(|(fault, total)| (1..=*total).for_each(|at| run(*fault, at)));
    } else {
        let began = Instant::now();
        while began.elapsed() < BUDGET {
            totals.iter().for_each(|(fault, total)| run(*fault, random.usize(1..=*total)));
        }
    }
    println!("failed: {struck:?}");
    // A slow machine comes to few of them.
    assert!(struck.values().sum::<usize>() > 0, "{struck:?}");
}
