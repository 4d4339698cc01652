//! How long an append or a read waits while an upgrade is promoted and rolled back under a constant load.
//!
//! The longest wait of any request that was under way during a switch is set beside the longest one in a span of the same
//! length in which nothing is switched: what exceeds it is the switch's.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::events::{Flight, body, flights, month};
use crate::host::{Host, until};
use crate::http::Connection;
use crate::report::quantile;

const SWITCHES: usize = 20;
const CLIENTS: usize = 4;

/// Between two requests of a client: 4 make 1,000 appends and 2,000 reads a second.
const APPEND_EVERY: Duration = Duration::from_millis(4);
const READ_EVERY: Duration = Duration::from_millis(2);

/// What comes just after the answer of a switch still belongs to it.
const AFTERMATH: Duration = Duration::from_millis(5);

/// Between two switches, so that they do not meet.
const REST: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
struct Span {
    from: Instant,
    to: Instant,
}

impl Span {
    fn millis(self) -> f64 {
        (self.to - self.from).as_secs_f64() * 1e3
    }

    fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// Requests of one kind.
type Requests = Rc<RefCell<Vec<Span>>>;

/// What was done while the load went on.
#[derive(Default)]
struct Done {
    promoted: Vec<Span>,
    rolled_back: Vec<Span>,
    rested: Vec<Span>,
}

pub(crate) async fn run() {
    let host = Host::with_on_time(month()).await;
    let flights: &'static [Flight] = Vec::leak(flights(20_000));
    let [appends, reads] = [Requests::default(), Requests::default()];
    let enough = Rc::new(Cell::new(false));
    let tasks = tokio::task::LocalSet::new();
    for number in 0..CLIENTS {
        let connection = host.connect().await;
        tasks.spawn_local(append(connection, number, flights, Rc::clone(&appends), Rc::clone(&enough)));
        tasks.spawn_local(read(host.connect().await, Rc::clone(&reads), Rc::clone(&enough)));
    }
    let mut operator = host.connect().await;
    let done = tasks.run_until(switch(&mut operator)).await;
    enough.set(true);
    tasks.await;
    print(&done, &appends.borrow(), &reads.borrow());
}

async fn append(
    mut connection: Connection,
    number: usize,
    flights: &'static [Flight],
    requests: Requests,
    enough: Rc<Cell<bool>>,
) {
    let mut next = Instant::now();
    for turn in 0.. {
        let text = body(flights, "switch", turn * CLIENTS + number, 1);
        until(next).await;
        if enough.get() {
            return;
        }
        let from = Instant::now();
        connection.post("/events", text).await;
        requests.borrow_mut().push(Span { from, to: Instant::now() });
        next += APPEND_EVERY;
    }
}

async fn read(mut connection: Connection, requests: Requests, enough: Rc<Cell<bool>>) {
    let mut next = Instant::now();
    while !enough.get() {
        until(next).await;
        let from = Instant::now();
        connection.get("/projections/on-time/state/carrier/UA").await;
        requests.borrow_mut().push(Span { from, to: Instant::now() });
        next += READ_EVERY;
    }
}

async fn switch(operator: &mut Connection) -> Done {
    let mut done = Done::default();
    for round in 0..SWITCHES {
        // Other parameters make another state of the same plugin.
        let upgrade = json!({ "parameters": { "round": round } }).to_string();
        operator.post("/projections/on-time/upgrade", upgrade).await;
        while !is_caught_up(operator).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(REST).await;
        let promoted = timed(operator, "promote").await;
        tokio::time::sleep(REST).await;
        done.rolled_back.push(timed(operator, "rollback").await);
        tokio::time::sleep(REST).await;
        let from = Instant::now();
        tokio::time::sleep(promoted.to - promoted.from).await;
        done.rested.push(Span { from, to: from + (promoted.to - promoted.from) });
        done.promoted.push(promoted);
        tokio::time::sleep(REST).await;
    }
    done
}

/// Whether the state that is being built has seen what the one that serves has; new events arrive all the time.
async fn is_caught_up(operator: &mut Connection) -> bool {
    let projection = operator.json("/projections/on-time").await;
    projection["building"]["phase"] == "live"
}

async fn timed(operator: &mut Connection, what: &str) -> Span {
    let from = Instant::now();
    operator.post(&format!("/projections/on-time/{what}"), "").await;
    Span { from, to: Instant::now() + AFTERMATH }
}

fn print(done: &Done, appends: &[Span], reads: &[Span]) {
    println!(
        "\n### Waits while an upgrade is switched, {SWITCHES} times, under 1,000 appends and 2,000 reads a second\n"
    );
    println!("| during | the request itself, median | longest append: median, most | longest read: median, most |");
    println!("|---|---:|---:|---:|");
    for (name, spans) in [("promote", &done.promoted), ("rollback", &done.rolled_back), ("rest", &done.rested)] {
        let mut itself: Vec<f64> = spans.iter().map(|span| span.millis() - AFTERMATH.as_secs_f64() * 1e3).collect();
        let itself = if name == "rest" { "–".to_owned() } else { format!("{:.2} ms", quantile(&mut itself, 0.5)) };
        let [appends, reads] = [appends, reads].map(|requests| {
            let mut longest: Vec<f64> = spans.iter().map(|span| longest(*span, requests)).collect();
            let [median, most] = [0.5, 1.0].map(|share| quantile(&mut longest, share));
            format!("{median:.2} ms, {most:.2} ms")
        });
        println!("| {name} | {itself} | {appends} | {reads} |");
    }
}

fn longest(span: Span, requests: &[Span]) -> f64 {
    requests.iter().filter(|request| request.meets(span)).map(|request| request.millis()).fold(0.0, f64::max)
}
