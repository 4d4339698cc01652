//! How long it takes from an append's answer until a projection shows it, while 10,000 events a second arrive.
//!
//! Appends of 10 events arrive on time, whether or not the ones before are answered: 32 connections take turns. After one
//! in five of them, a reader asks for a key with `min_sequence`; and a subscriber follows the projection's changes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::events::{Flight, body, flights, month};
use crate::host::{Host, until};
use crate::http::Connection;
use crate::report::{count, quantile};

const EVENTS_PER_SECOND: usize = 10_000;
const APPEND_EVENTS: usize = 10;
const CONNECTIONS: usize = 32;
const READERS: usize = 8;
const SECONDS: usize = 10;

/// Between one append of a connection and its next.
const TURN: Duration = Duration::from_micros((CONNECTIONS * APPEND_EVENTS * 1_000_000 / EVENTS_PER_SECOND) as u64);

/// When an append was sent and when it was answered, and its last event's sequence.
#[derive(Clone, Copy)]
struct Appended {
    sent: Instant,
    answered: Instant,
    sequence: u64,
}

#[derive(Default)]
struct Seen {
    appended: Vec<Appended>,
    /// An append, and when a reader was answered with it.
    read: Vec<(Appended, Instant)>,
    /// How far the projection was, and when its subscriber heard of it.
    followed: Vec<(u64, Instant)>,
}

type Shared = Rc<RefCell<Seen>>;

pub(crate) async fn run() {
    let host = Host::with_on_time(month()).await;
    let flights: &'static [Flight] = Vec::leak(flights(20_000));
    let seen = Shared::default();
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(follow(host.connect().await, Rc::clone(&seen)));
    let began = Instant::now();
    let took = tasks.run_until(load(&host, flights, &seen)).await;
    // What was appended last is still to be heard of.
    tasks.run_until(tokio::time::sleep(Duration::from_secs(1))).await;
    print(&seen.borrow(), took - began);
}

/// Returns when the last append is answered.
async fn load(host: &Host, flights: &'static [Flight], seen: &Shared) -> Instant {
    let (ask, mut asked) = mpsc::channel::<Appended>(READERS);
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(host.connect().await);
    }
    let answers = Rc::clone(seen);
    tokio::task::spawn_local(async move {
        let idle = Rc::new(RefCell::new(readers));
        while let Some(append) = asked.recv().await {
            let Some(connection) = idle.borrow_mut().pop() else { continue };
            let (idle, answers) = (Rc::clone(&idle), Rc::clone(&answers));
            tokio::task::spawn_local(async move {
                let connection = read(connection, append, &answers).await;
                idle.borrow_mut().push(connection);
            });
        }
    });
    let start = Instant::now() + TURN;
    let mut appending = Vec::new();
    for number in 0..CONNECTIONS {
        let (connection, seen, ask) = (host.connect().await, Rc::clone(seen), ask.clone());
        appending.push(tokio::task::spawn_local(append(connection, number, start, flights, seen, ask)));
    }
    for task in appending {
        task.await.unwrap();
    }
    Instant::now()
}

async fn append(
    mut connection: Connection,
    number: usize,
    start: Instant,
    flights: &'static [Flight],
    seen: Shared,
    ask: mpsc::Sender<Appended>,
) {
    let turns = SECONDS * 1_000_000 / TURN.as_micros() as usize;
    for turn in 0..turns {
        let place = turn * CONNECTIONS + number;
        let text = body(flights, "visible", place * APPEND_EVENTS, APPEND_EVENTS);
        until(start + TURN * turn as u32 + TURN * number as u32 / CONNECTIONS as u32).await;
        let sent = Instant::now();
        let answer = connection.post("/events", text).await;
        let answered = Instant::now();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let sequence = answer["events"][APPEND_EVENTS - 1]["sequence"].as_u64().unwrap();
        let appended = Appended { sent, answered, sequence };
        seen.borrow_mut().appended.push(appended);
        if place.is_multiple_of(5) {
            // If all readers are waiting, this one is not asked for.
            let _ = ask.try_send(appended);
        }
    }
}

async fn read(mut connection: Connection, append: Appended, seen: &Shared) -> Connection {
    let path = format!("/projections/on-time/state/carrier/UA?min_sequence={}&timeout=10", append.sequence);
    connection.get(&path).await;
    seen.borrow_mut().read.push((append, Instant::now()));
    connection
}

async fn follow(connection: Connection, seen: Shared) {
    let mut feed = connection.events("/projections/on-time/changes").await;
    while let Some(checkpoint) = feed.next_id("changes").await {
        seen.borrow_mut().followed.push((checkpoint, Instant::now()));
    }
}

fn print(seen: &Seen, took: Duration) {
    let millis =
        |durations: Vec<Duration>| durations.into_iter().map(|one| one.as_secs_f64() * 1e3).collect::<Vec<_>>();
    let heard = |append: &Appended| {
        let at = seen.followed.partition_point(|(checkpoint, _)| *checkpoint < append.sequence);
        Some((*append, seen.followed.get(at)?.1))
    };
    let followed: Vec<_> = seen.appended.iter().filter_map(heard).collect();
    let lost = seen.appended.len() - followed.len();
    let rate = (seen.appended.len() * APPEND_EVENTS) as f64 / took.as_secs_f64();
    println!(
        "\n### From an append to the projection that shows it, {} events/s offered\n",
        count(EVENTS_PER_SECOND as f64)
    );
    println!("{} events/s were taken; {lost} appends were not heard of within a second of the end.\n", count(rate));
    println!("| | times | p50 | p99 | most |\n|---|---:|---:|---:|---:|");
    let row = |name: &str, mut millis: Vec<f64>| {
        if millis.is_empty() {
            return println!("| {name} | 0 | | | |");
        }
        let [middle, high, most] = [0.5, 0.99, 1.0].map(|share| quantile(&mut millis, share));
        println!("| {name} | {} | {middle:.2} ms | {high:.2} ms | {most:.2} ms |", millis.len());
    };
    let since_sent = |(append, at): &(Appended, Instant)| *at - append.sent;
    let since_answered = |(append, at): &(Appended, Instant)| at.saturating_duration_since(append.answered);
    row("append, sent to answered", millis(seen.appended.iter().map(|append| append.answered - append.sent).collect()));
    row("answered, to a read with `min_sequence`", millis(seen.read.iter().map(since_answered).collect()));
    row("answered, to the change feed", millis(followed.iter().map(since_answered).collect()));
    row("sent, to the change feed", millis(followed.iter().map(since_sent).collect()));
}
