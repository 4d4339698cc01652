//! What an idle subscriber of a projection's change feed costs the host, and how soon all of them hear of an event.
//!
//! Subscribers are bare sockets here, so that this program can hold as many as the host.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::events::{Flight, body, flights};
use crate::host::Host;
use crate::http::Address;
use crate::process::descriptor_limit;
use crate::report::{count, quantile};

const WANTED: usize = 10_000;

/// Descriptors that are for other things, here and in the host.
const SPARE: u64 = 200;

/// How many open at the same time; more would only fill the listener's queue.
const OPENING: usize = 64;

const REQUEST: &[u8] =
    b"GET /projections/on-time/changes HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n";

/// How a change begins; what comes before it is of the state as it was.
const CHANGES: &[u8] = b"event: changes";

/// How long subscribers may take to hear of an event.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run() {
    let host = Host::with_on_time(String::new()).await;
    let flights: Vec<Flight> = flights(100);
    let mut connection = host.connect().await;
    connection.post("/events", body(&flights, "before", 0, 100)).await;
    host.caught_up(&mut connection).await;
    let wanted = WANTED.min(descriptor_limit().saturating_sub(SPARE) as usize);
    let before = host.server.resident_bytes();
    let began = Instant::now();
    let subscribers = subscribe(&host, wanted).await;
    let took = began.elapsed();
    // What opening them took for a moment may be given back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = host.server.resident_bytes();
    let subscribed = subscribers.len();
    println!("\n### Idle subscribers of a change feed\n");
    println!("{subscribed} of {WANTED} subscribed in {:.1} s.\n", took.as_secs_f64());
    let mut waiting = JoinSet::new();
    let sent = Instant::now();
    for subscriber in subscribers {
        waiting.spawn(tokio::time::timeout(PATIENCE, hear(subscriber, sent)));
    }
    connection.post("/events", body(&flights, "after", 0, 1)).await;
    let heard = waiting.join_all().await;
    let mut millis: Vec<f64> = heard.into_iter().filter_map(|one| one.ok().flatten()).collect();
    let after = host.server.resident_bytes();
    print(&mut millis, subscribed, [before, idle, after]);
}

async fn subscribe(host: &Host, wanted: usize) -> Vec<UnixStream> {
    let Address::Unix(socket) = host.unix() else { unreachable!("a Unix socket was asked for") };
    let mut opening = JoinSet::new();
    let mut subscribers = Vec::with_capacity(wanted);
    let mut missing = wanted;
    while missing > 0 || !opening.is_empty() {
        while missing > 0 && opening.len() < OPENING {
            let socket = socket.clone();
            opening.spawn(async move { open(&socket).await });
            missing -= 1;
        }
        if let Some(subscriber) = opening.join_next().await {
            subscribers.extend(subscriber.unwrap());
        }
    }
    subscribers
}

/// A subscriber whose request has been answered; none if the host takes no more.
async fn open(socket: &std::path::Path) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    stream.write_all(REQUEST).await.ok()?;
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    head.starts_with(b"HTTP/1.1 200 ").then_some(stream)
}

/// Milliseconds until a change arrives.
async fn hear(mut stream: UnixStream, sent: Instant) -> Option<f64> {
    let mut text = Vec::with_capacity(1024);
    while !text.windows(CHANGES.len()).any(|part| part == CHANGES) {
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    }
    Some(sent.elapsed().as_secs_f64() * 1e3)
}

fn print(millis: &mut [f64], subscribed: usize, [before, idle, after]: [u64; 3]) {
    let each = |bytes: u64| count(bytes.saturating_sub(before) as f64 / subscribed.max(1) as f64);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("| | the host's resident memory | a subscriber |\n|---|---:|---:|");
    println!("| before | {:.1} MiB | |", mib(before));
    println!("| all idle | {:.1} MiB | {} bytes |", mib(idle), each(idle));
    println!("| after an event | {:.1} MiB | {} bytes |", mib(after), each(after));
    println!("\n{} of {subscribed} heard of the event that was appended.", millis.len());
    if !millis.is_empty() {
        let [first, middle, last] = [0.0, 0.5, 1.0].map(|share| quantile(millis, share));
        println!("After sending it: the first {first:.1} ms, half of them {middle:.1} ms, all {last:.1} ms.");
    }
}
