//! Several hosts on one directory: one has it, the others are told which, and none is in the way when it is dead.

use std::io::{BufRead as _, BufReader, Read as _};

use super::origin::{Copy, Process};

const HOSTS: usize = 12;

/// A host that listens, or what it said when it ended.
enum Came {
    Serving(Process, Box<dyn std::io::Read + Send>),
    Ended(Option<i32>, String),
}

fn start(copy: &Copy) -> Came {
    let mut process = Process(copy.command(&["serve", "--lock-wait", "0"]).spawn().unwrap());
    let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        if line.starts_with("listening on ") {
            return Came::Serving(process, Box::new(stdout));
        }
        line.clear();
    }
    let mut said = String::new();
    process.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    Came::Ended(process.0.wait().unwrap().code(), said)
}

/// Starts many hosts at once. Exactly one must have won; the others must name it.
fn race(copy: &Copy) -> Process {
    let barrier = std::sync::Barrier::new(HOSTS);
    let came: Vec<_> = std::thread::scope(|scope| {
        let begin = || {
            barrier.wait();
            start(copy)
        };
        let hosts: Vec<_> = (0..HOSTS).map(|_| scope.spawn(begin)).collect();
        hosts.into_iter().map(|host| host.join().unwrap()).collect()
    });
    let (mut serving, mut ended) = (Vec::new(), Vec::new());
    for came in came {
        match came {
            Came::Serving(process, stdout) => serving.push((process, stdout)),
            Came::Ended(code, said) => ended.push((code, said)),
        }
    }
    assert_eq!(serving.len(), 1, "{ended:?}");
    let (winner, _) = serving.pop().unwrap();
    let named = format!("is in use by process {} (polyfold serve)", winner.0.id());
    for (code, said) in ended {
        assert!(code == Some(6) && said.contains(&named), "{code:?}: {said}, not {named}");
    }
    winner
}

#[test]
fn of_many_hosts_that_start_at_once_one_has_the_directory_again_and_again_after_a_kill() {
    let copy = Copy::new();
    for round in 0..3 {
        let mut winner = race(&copy);
        let (said, code) = copy.run(&["append", "order/1", "order.placed", "{}", "--id", &format!("round-{round}")]);
        assert_eq!(code, Some(0), "{said}");
        winner.0.kill().unwrap();
        winner.0.wait().unwrap();
    }
    let (said, code) = copy.run(&["log", "verify"]);
    assert_eq!(code, Some(0), "{said}");
    let (exported, _) = copy.run(&["export", "--type", "order.placed"]);
    assert_eq!(exported.matches("\"id\":\"round-").count(), 3, "{exported}");
}

#[test]
fn without_the_lock_file_the_log_itself_refuses_a_second_host() {
    let copy = Copy::new();
    let winner = race(&copy);
    std::fs::remove_file(copy.path().join("lock")).unwrap();
    let Came::Ended(code, said) = start(&copy) else { panic!("two hosts have one directory") };
    assert!(code == Some(1) && said.contains("log.redb\" is in use by another process"), "{code:?}: {said}");
    drop(winner);
    let (said, code) = copy.run(&["log", "verify"]);
    assert_eq!(code, Some(0), "{said}");
}
