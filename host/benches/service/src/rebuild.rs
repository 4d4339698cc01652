//! What a rebuild of the flights year does to appends: p50 and p99 at rest and while it runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::events::{Flight, body, flights, year};
use crate::host::Host;
use crate::http::Connection;
use crate::report::{count, quantile};

const REST: Duration = Duration::from_secs(5);
const CLIENTS: [usize; 2] = [1, 16];

type Millis = Rc<RefCell<Vec<f64>>>;

pub(crate) async fn run() {
    let (lines, what) = year();
    let host = Host::with_on_time(lines).await;
    let flights: &'static [Flight] = Vec::leak(flights(20_000));
    let mut operator = host.connect().await;
    let events = operator.json("/log").await["head"].as_u64().unwrap();
    println!("\n### Appends of one event while `on-time` is rebuilt over {} events ({what})\n", count(events as f64));
    println!("| | appends/s | p50 | p99 | most | rebuild |\n|---|---:|---:|---:|---:|---:|");
    for clients in CLIENTS {
        load(&host, clients, flights, "at rest", async |_| tokio::time::sleep(REST).await).await;
        load(&host, clients, flights, "during a rebuild", rebuild).await;
    }
    let took = Instant::now();
    rebuild(&mut operator).await;
    println!("\nThe same rebuild without appends: {:.1} s.", took.elapsed().as_secs_f64());
}

async fn rebuild(operator: &mut Connection) {
    operator.work("/projections/on-time/rebuild").await;
}

/// Lets clients append, each waiting for its answer, for as long as something takes.
async fn load(
    host: &Host,
    clients: usize,
    flights: &'static [Flight],
    when: &str,
    meanwhile: impl AsyncFnOnce(&mut Connection),
) {
    let (millis, enough) = (Millis::default(), Rc::new(Cell::new(false)));
    let tasks = tokio::task::LocalSet::new();
    let run = format!("{clients}-{}", when.replace(' ', "-"));
    for number in 0..clients {
        let (connection, millis, enough) = (host.connect().await, Rc::clone(&millis), Rc::clone(&enough));
        tasks.spawn_local(append(connection, number, clients, run.clone(), flights, millis, enough));
    }
    let mut operator = host.connect().await;
    let began = Instant::now();
    tasks.run_until(meanwhile(&mut operator)).await;
    let took = began.elapsed().as_secs_f64();
    enough.set(true);
    tasks.await;
    host.caught_up(&mut operator).await;
    let mut millis = millis.take();
    let rate = count(millis.len() as f64 / took);
    let [middle, high, most] = [0.5, 0.99, 1.0].map(|share| quantile(&mut millis, share));
    let rebuild = if when == "at rest" { "–".to_owned() } else { format!("{took:.1} s") };
    let s = if clients == 1 { "" } else { "s" };
    println!("| {clients} client{s} {when} | {rate} | {middle:.2} ms | {high:.2} ms | {most:.2} ms | {rebuild} |");
}

async fn append(
    mut connection: Connection,
    number: usize,
    clients: usize,
    run: String,
    flights: &'static [Flight],
    millis: Millis,
    enough: Rc<Cell<bool>>,
) {
    for turn in 0.. {
        if enough.get() {
            return;
        }
        let text = body(flights, &run, turn * clients + number, 1);
        let sent = Instant::now();
        connection.post("/events", text).await;
        millis.borrow_mut().push(sent.elapsed().as_secs_f64() * 1e3);
    }
}
