//! UmaDB, its server from PyPI and its client from crates.io: a gRPC channel for each client.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{DcbAppendCondition, DcbEvent, DcbEventStoreAsync, DcbQuery, DcbQueryItem};

use crate::process::{Server, free_port, program, temporary};
use crate::work::Part;

#[derive(Debug)]
pub(crate) struct UmaDb {
    _server: Server,
    _dir: TempDir,
    url: String,
}

pub(crate) struct Client {
    client: AsyncUmaDbClient,
    /// Where this client's last event lies.
    position: Option<u64>,
}

impl UmaDb {
    /// Starts the server that UMADB names or PATH leads to.
    pub(crate) async fn start() -> Result<Self, String> {
        let named = std::env::var("UMADB").unwrap_or_default();
        let program = program("umadb", &[&named]).ok_or("there is no program umadb; UMADB names it")?;
        let dir = temporary();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command.args(["--listen", &address, "--db-path"]).arg(dir.path().join("uma.db"));
        // Only a server that listens takes a connection.
        let listens = || async { tokio::net::TcpStream::connect(&address).await.is_ok() };
        let server = Server::start(command, dir.path().join("log"), listens).await?;
        Ok(Self { _server: server, _dir: dir, url: format!("http://{address}") })
    }

    pub(crate) async fn client(&self) -> Client {
        let client = UmaDbClient::new(self.url.clone()).connect_async().await.unwrap();
        Client { client, position: None }
    }
}

impl Client {
    /// Appends if no stream got an event since this client's last one.
    pub(crate) async fn append(&mut self, parts: Vec<Part>) {
        let boundary = parts.iter().map(|part| DcbQueryItem::new().tags([part.stream.as_str()]));
        let boundary = DcbQuery::new().items(boundary.collect::<Vec<_>>());
        // A stream that is new must have no event at all.
        let after = self.position.filter(|_| parts.iter().any(|part| part.version > 0));
        let condition = DcbAppendCondition::new(boundary).after(after);
        let events = parts.into_iter().flat_map(|part| {
            let Part { stream, events, .. } = part;
            events.into_iter().map(move |event| {
                let new = DcbEvent::new().event_type(event.event_type).tags([stream.as_str()]);
                new.data(event.data.as_bytes()).uuid(event.id)
            })
        });
        let position = self.client.append(events.collect(), Some(condition), None).await.unwrap();
        self.position = Some(position);
    }
}

/// What is measured, in a word or two.
pub(crate) fn version() -> String {
    let named = std::env::var("UMADB").unwrap_or_default();
    let output = program("umadb", &[&named]).and_then(|program: std::path::PathBuf| version_of(&program));
    output.unwrap_or_else(|| "UmaDB".to_owned())
}

fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().replace("umadb", "UmaDB"))
}
