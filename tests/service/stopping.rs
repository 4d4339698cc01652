//! The end of a host, asked for or not, and who comes after it.

use std::sync::Mutex;

use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::json;

use super::client::Api;
use super::server::{Server, block_on, status};
use crate::program::Environment;

#[test]
fn what_was_acknowledged_before_a_shutdown_under_load_is_there_after_it() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    let acknowledged = Mutex::new(Vec::new());
    block_on(async {
        let client = async |number: usize| {
            let api = Api::new(&server);
            for turn in 0.. {
                let id = format!("{number}-{turn}");
                let event = json!({ "stream": format!("client/{number}"), "type": "turned", "id": id });
                match api.request(Method::POST, "/events").json(&event).send().await {
                    Ok(answer) if answer.status() == 201 => {
                        let mut acknowledged = acknowledged.lock().unwrap();
                        acknowledged.push(id);
                        if acknowledged.len() == 100 {
                            server.signal(Signal::TERM);
                        }
                    }
                    Ok(answer) => {
                        assert_eq!(answer.status(), 503);
                        assert!(answer.text().await.unwrap().contains("shutting-down"));
                    }
                    // The host is gone, or closed the connection.
                    Err(_) => return,
                }
            }
        };
        futures_util::future::join_all((0..8).map(client)).await;
    });
    let (status, said) = server.wait();
    assert!(status.success(), "{said}");
    let exported = environment.ok(&["export"]);
    for id in acknowledged.into_inner().unwrap() {
        assert!(exported.contains(&format!("\"id\":\"{id}\"")), "{id} is missing");
    }
    environment.ok(&["log", "verify"]);
}

#[test]
fn a_second_host_is_told_who_has_the_directory() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    let output = environment.output(&["serve", "--lock-wait", "0"], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("is in use by process ") && said.contains(" (polyfold serve)"), "{said}");
    server.stop();
}

#[test]
fn a_killed_host_leaves_nothing_in_the_way_of_the_next() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    server.signal(Signal::KILL);
    assert!(!server.wait().0.success());
    assert!(environment.dir.path().join("socket").exists(), "it was killed");
    assert!(environment.ok(&["token", "list"]).is_empty(), "commands work without a host");
    let server = Server::start(&environment, &[]);
    block_on(async { assert_eq!(status(Client::new().get(format!("{}/readyz", server.url))).await, 200) });
    server.stop();
}
