//! Followers of the log and of states: across restarts, and a thousand at once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{Api, Events};
use super::server::{Server, block_on};
use crate::program::Environment;

const COUNTS: &str = "/projections/event-counts/changes";

async fn append(api: &Api, number: usize) {
    api.append("order/1", "order.placed", json!(number)).await;
}

/// Reads sequences until the stream ends or `to` is there; the id of the last event is where to go on.
async fn sequences(events: &mut Events, to: usize, seen: &mut Vec<u64>, last: &mut Option<String>) {
    while seen.last().is_none_or(|seen| *seen < to as u64) {
        let Some(sent) = events.next().await else { return };
        if sent.event == "shutdown" {
            return;
        }
        seen.extend(sent.data["sequence"].as_u64().filter(|_| sent.event == "event"));
        *last = sent.id.or(last.take());
    }
}

#[test]
fn followers_miss_nothing_and_see_nothing_twice_across_restarts() {
    const EACH: usize = 20;
    let environment = Environment::new();
    let (mut seen, mut last) = (Vec::new(), None);
    let (mut polled, mut next) = (Vec::new(), 0);
    for round in 1..=3 {
        let server = Server::start(&environment, &[]);
        block_on(async {
            let api = &Api::new(&server);
            let mut events = api.follow("/events/stream", last.as_deref()).await;
            let write = async {
                for number in 0..EACH {
                    append(api, number).await;
                }
            };
            let poll = async {
                while polled.len() < round * EACH {
                    let (_, page) = api.get(&format!("/events?since={next}&wait=30&limit=7")).await;
                    polled.extend(page["events"].as_array().unwrap().iter().map(|it| it["sequence"].as_u64().unwrap()));
                    next = page["next"].as_u64().unwrap();
                }
            };
            // The last ones are cut off in the middle, so that they must go on with the next host.
            tokio::join!(write, poll, sequences(&mut events, round * EACH - 5, &mut seen, &mut last));
            let waiting = tokio::spawn(api.request(reqwest::Method::GET, "/events?since=60&wait=60").send());
            let mut idle = api.follow("/events/stream?since=60", None).await;
            server.stop();
            // Who waits is told, and not left alone until the time is up.
            let answer = waiting.await.unwrap();
            assert!(answer.is_err() || answer.unwrap().status().as_u16() < 504);
            idle.expect("shutdown").await;
            assert!(idle.next().await.is_none());
        });
    }
    let server = Server::start(&environment, &[]);
    block_on(async {
        let mut events = Api::new(&server).follow("/events/stream", last.as_deref()).await;
        sequences(&mut events, 3 * EACH, &mut seen, &mut last).await;
    });
    server.stop();
    let all: Vec<u64> = (1..=3 * EACH as u64).collect();
    assert_eq!((seen, polled), (all.clone(), all));
}

#[test]
fn a_change_feed_says_what_changed_and_when_the_state_must_be_read_anew() {
    let environment = Environment::new();
    let server = Server::start(&environment, &[]);
    let last = block_on(async {
        let api = &Api::new(&server);
        api.install("ledger").await;
        api.done("/projections", &json!({ "name": "sums", "plugin": "ledger" })).await;
        let mut feed = api.follow("/projections/sums/changes", None).await;
        let reset = feed.expect("reset").await;
        assert_eq!((&reset.data["checkpoint"], reset.id.is_some()), (&json!(0), true), "{reset:?}");
        api.append("account/1", "booked", json!({ "amount": 5 })).await;
        let sent = feed.expect("changes").await;
        let changes = json!([{ "key": "balance/account/1", "value": 5 }, { "key": "total", "value": 5 }]);
        assert_eq!(sent.data, json!({ "checkpoint": 1, "changes": changes }));
        // What does not concern it says nothing; the next that does comes next.
        api.append("account/1", "noted", Value::Null).await;
        api.append("account/1", "booked", json!({ "amount": 6 })).await;
        let resumed = feed.expect("changes").await;
        assert_eq!(resumed.data["checkpoint"], json!(3));
        let mut again = api.follow("/projections/sums/changes", sent.id.as_deref()).await;
        assert_eq!(again.expect("changes").await.data, resumed.data);
        let mut since = api.follow("/projections/sums/changes?since=1", None).await;
        assert_eq!(since.expect("changes").await.data, resumed.data);

        api.install("ledger_v2").await;
        api.done("/projections/sums/upgrade", &json!({ "auto_promote": true })).await;
        let reset = feed.expect("reset").await;
        assert_eq!(reset.data["reason"], json!("another state serves now"));
        assert_eq!(api.get("/projections/sums/state").await.1["identity"], reset.data["identity"]);
        api.append("account/2", "booked", json!({ "amount": 2000 })).await;
        let sent = feed.expect("changes").await;
        let changes = json!([
            { "key": "balance/account/2", "value": 4000 },
            { "key": "count", "value": 3 },
            { "key": "total", "value": 4011 },
        ]);
        assert_eq!(sent.data, json!({ "checkpoint": 4, "changes": changes }));
        // Who comes back with a place in the state that served before is told.
        let mut stranger = api.follow("/projections/sums/changes", resumed.id.as_deref()).await;
        assert_eq!(stranger.expect("reset").await.data["reason"], json!("another state serves now"));
        // Checks and builds beside the state say nothing of their own.
        api.done("/projections/sums/verify", &Value::Null).await;
        api.append("account/2", "booked", json!({ "amount": 1 })).await;
        let sent = feed.expect("changes").await;
        assert_eq!((&sent.data["checkpoint"], &sent.data["changes"][1]["value"]), (&json!(5), &json!(4)));
        api.append("account/2", "booked", json!({ "amount": 1 })).await;
        assert_eq!(
            api.get("/projections/sums?min_sequence=6").await.0,
            200,
            "it is in the state before the host stops"
        );
        sent.id
    });
    server.stop();

    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        let mut feed = api.follow("/projections/sums/changes", last.as_deref()).await;
        let reset = feed.expect("reset").await;
        assert_eq!((&reset.data["checkpoint"], &reset.data["reason"]), (&json!(6), &json!("changes were missed")));
        let mut behind = api.follow("/projections/sums/changes", reset.id.as_deref()).await;
        api.append("account/2", "booked", json!({ "amount": 1 })).await;
        assert_eq!(feed.expect("changes").await.data["checkpoint"], json!(7));
        assert_eq!(behind.expect("changes").await.data["checkpoint"], json!(7), "the host's restart missed nothing");
        api.request(reqwest::Method::DELETE, "/projections/sums").send().await.unwrap();
        feed.expect("deleted").await;
        assert!(feed.next().await.is_none());
        assert_eq!(api.get("/projections/sums/changes").await.0, 404);
        assert_eq!(api.get("/projections/sums/changes?since=x").await.0, 400);
    });
    server.stop();
}

#[test]
fn a_thousand_idle_followers_each_get_the_next_event() {
    const EACH: usize = 500;
    let environment = Environment::new();
    environment.install(&["event-counts"]);
    let server = Server::start(&environment, &[]);
    block_on(async {
        let api = &Api::new(&server);
        api.done("/projections", &json!({ "name": "event-counts" })).await;
        let follow = async |number: usize| {
            let api = api.alone();
            let path = if number.is_multiple_of(2) { "/events/stream" } else { COUNTS };
            let mut events = api.follow(path, None).await;
            if path == COUNTS {
                events.expect("reset").await;
            }
            events
        };
        let mut followers = Vec::new();
        for start in (0..2 * EACH).step_by(50) {
            followers.extend(join_all((start..start + 50).map(follow)).await);
        }
        append(api, 1).await;
        let next = followers.iter_mut().map(|events| events.next());
        let all = tokio::time::timeout(Duration::from_secs(60), join_all(next)).await.unwrap();
        let of = |event: &str| all.iter().flatten().filter(|sent| sent.event == event).count();
        assert_eq!((of("event"), of("changes")), (EACH, EACH));
        let first = all.iter().flatten().find(|sent| sent.event == "changes").unwrap();
        assert!(all.iter().flatten().all(|sent| sent.event != "changes" || sent.data == first.data));
    });
    server.stop();
}
