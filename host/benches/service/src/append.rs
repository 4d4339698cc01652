//! Durable appends over the network: one event by 1, 16 and 64 clients, and 1,000 events at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::host::{self, Host};
use crate::http::{Address, Connection};
use crate::postgres::{self, Over, Postgres};
use crate::process::processor_time;
use crate::report::{count, quantile};
#[cfg(feature = "umadb")]
use crate::umadb::{self, UmaDb};
use crate::work::{Part, Work, payloads};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(2);

/// Clients, and events in an append.
const LOADS: [(usize, usize); 4] = [(1, 1), (16, 1), (64, 1), (1, 1_000)];

/// Who is measured; a peer that cannot be started is not.
struct Contestant {
    name: String,
    server: Contestants,
}

enum Contestants {
    Polyfold(Address),
    #[cfg(feature = "umadb")]
    UmaDb(Rc<UmaDb>),
    Postgres(Rc<Postgres>, Over),
}

/// A client's connection.
enum Client {
    Polyfold(Connection),
    #[cfg(feature = "umadb")]
    UmaDb(Box<umadb::Client>),
    Postgres(postgres::Client),
}

/// What one contestant did under one load, over all rounds.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    millis: Vec<f64>,
    /// Of one processor, by this program: near 1, it is what was measured.
    generator: Vec<f64>,
}

pub(crate) async fn run() {
    let host = Host::start().await;
    let contestants = contestants(&host).await;
    let flights = payloads();
    for (clients, events) in LOADS {
        let mut results: Vec<Figures> = contestants.iter().map(|_| Figures::default()).collect();
        for round in 0..=ROUNDS {
            for (contestant, result) in contestants.iter().zip(&mut results) {
                let mut unmeasured = Figures::default();
                let into = if round == 0 { &mut unmeasured } else { result };
                let works = (0..clients).map(|client| Work::new(flights, client)).collect();
                contestant.round(works, events, into).await;
            }
        }
        print(clients, events, &contestants, results);
    }
}

async fn contestants(host: &Host) -> Vec<Contestant> {
    let mut contestants = vec![
        Contestant::new("polyfold, TCP", Contestants::Polyfold(host.tcp())),
        Contestant::new("polyfold, Unix socket", Contestants::Polyfold(host.unix())),
    ];
    #[cfg(feature = "umadb")]
    match UmaDb::start().await {
        Ok(server) => {
            contestants
                .push(Contestant::new(format!("{}, TCP", umadb::version()), Contestants::UmaDb(Rc::new(server))));
        }
        Err(why) => eprintln!("UmaDB is left out: {why}"),
    }
    match Postgres::start().await {
        Ok(server) => {
            let (server, version) = (Rc::new(server), postgres::version());
            let over = |over| Contestants::Postgres(Rc::clone(&server), over);
            contestants.push(Contestant::new(format!("{version}, TCP"), over(Over::Tcp)));
            contestants.push(Contestant::new(format!("{version}, Unix socket"), over(Over::Unix)));
        }
        Err(why) => eprintln!("PostgreSQL is left out: {why}"),
    }
    contestants
}

impl Contestant {
    fn new(name: impl Into<String>, server: Contestants) -> Self {
        Self { name: name.into(), server }
    }

    async fn client(&self) -> Client {
        match &self.server {
            Contestants::Polyfold(address) => Client::Polyfold(Connection::open(address).await.unwrap()),
            #[cfg(feature = "umadb")]
            Contestants::UmaDb(server) => Client::UmaDb(Box::new(server.client().await)),
            Contestants::Postgres(server, over) => Client::Postgres(server.client(*over).await),
        }
    }

    /// Lets the clients append for a while, each one waiting for its answer.
    async fn round(&self, works: Vec<Work>, events: usize, result: &mut Figures) {
        let mut clients = Vec::new();
        for work in works {
            clients.push((self.client().await, work));
        }
        let millis = Rc::new(RefCell::new(Vec::new()));
        let (began, used) = (Instant::now(), processor_time());
        let tasks = tokio::task::LocalSet::new();
        let mut appending = Vec::new();
        for (mut client, mut work) in clients {
            let millis = Rc::clone(&millis);
            appending.push(tasks.spawn_local(async move {
                while began.elapsed() < ROUND {
                    let parts = work.take(events);
                    let sent = Instant::now();
                    client.append(parts).await;
                    millis.borrow_mut().push(sent.elapsed().as_secs_f64() * 1e3);
                }
            }));
        }
        tasks.await;
        for task in appending {
            task.await.expect("no append fails");
        }
        let took = began.elapsed().as_secs_f64();
        let millis = millis.take();
        result.rates.push((millis.len() * events) as f64 / took);
        result.generator.push((processor_time() - used).as_secs_f64() / took);
        result.millis.extend(millis);
    }
}

impl Client {
    async fn append(&mut self, parts: Vec<Part>) {
        match self {
            Self::Polyfold(connection) => host::append(connection, parts).await,
            #[cfg(feature = "umadb")]
            Self::UmaDb(client) => client.append(parts).await,
            Self::Postgres(client) => client.append(parts).await,
        }
    }
}

fn print(clients: usize, events: usize, contestants: &[Contestant], results: Vec<Figures>) {
    let s = if clients == 1 { "" } else { "s" };
    let what = if events == 1 { "one event".to_owned() } else { format!("{} events", count(events as f64)) };
    println!("\n### Durable appends of {what}, {clients} client{s}\n");
    println!("| | events/s | from | to | p50 | p99 | polyfold's share of it | load generator, processors |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let mut first = None;
    for (contestant, mut result) in contestants.iter().zip(results) {
        let median = quantile(&mut result.rates, 0.5);
        let (low, high) = (result.rates[0], result.rates[result.rates.len() - 1]);
        let [middle, late] = [0.5, 0.99].map(|share| quantile(&mut result.millis, share));
        let ratio = *first.get_or_insert(median) / median;
        let generator = quantile(&mut result.generator, 0.5);
        let [median, low, high] = [median, low, high].map(count);
        println!(
            "| {} | {median} | {low} | {high} | {middle:.2} ms | {late:.2} ms | {ratio:.2} | {generator:.2} |",
            contestant.name
        );
    }
}
