//! PostgreSQL: one table of events, its defaults, every commit synchronous; a connection for each client.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tokio_postgres::{NoTls, Statement};

use crate::process::{Server, free_port, program, temporary};
use crate::work::Part;

/// Where Debian keeps the programs, which are not all on PATH.
const DEBIAN: &str = "/usr/lib/postgresql/15/bin";

/// PostgreSQL does not run as root; `nobody` on every Linux.
const UNPRIVILEGED: u32 = 65_534;

const TABLE: &str = "CREATE TABLE events (
    sequence bigserial PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL, id uuid NOT NULL UNIQUE,
    type text NOT NULL, data jsonb NOT NULL, recorded_at timestamptz NOT NULL DEFAULT now(), UNIQUE (stream, version))";

const ONE: &str =
    "INSERT INTO events (stream, version, id, type, data) VALUES ($1, $2, $3, $4, $5::text::jsonb) RETURNING sequence";

const MANY: &str = "INSERT INTO events (stream, version, id, type, data)
    SELECT s, v, i, t, d::jsonb FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[]) u(s, v, i, t, d)
    RETURNING sequence";

#[derive(Debug)]
pub(crate) struct Postgres {
    _server: Server,
    dir: TempDir,
    port: u16,
}

/// How a client connects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Tcp,
    Unix,
}

pub(crate) struct Client {
    client: tokio_postgres::Client,
    one: Statement,
    many: Statement,
}

impl Postgres {
    pub(crate) async fn start() -> Result<Self, String> {
        let dir = temporary();
        let cluster = dir.path().join("cluster");
        if rustix::process::getuid().is_root() {
            chown(dir.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).map_err(|error| error.to_string())?;
        }
        let mut initdb = unprivileged("initdb")?;
        initdb.args(["--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C", "--pgdata"]).arg(&cluster);
        let output = initdb.output().map_err(|error| format!("initdb: {error}"))?;
        if !output.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let port = free_port();
        let mut command = unprivileged("postgres")?;
        command.arg("-D").arg(&cluster).arg("-k").arg(dir.path()).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on", "-c", "synchronous_commit=on"]);
        let configuration = configuration(dir.path(), port, Over::Unix);
        let answers = || async { configuration.connect(NoTls).await.is_ok() };
        let server = Server::start(command, dir.path().join("log"), answers).await?;
        let (client, connection) = configuration.connect(NoTls).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        client.batch_execute(TABLE).await.map_err(|error| error.to_string())?;
        Ok(Self { _server: server, dir, port })
    }

    pub(crate) async fn client(&self, over: Over) -> Client {
        let (client, connection) = configuration(self.dir.path(), self.port, over).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let [one, many] = [client.prepare(ONE).await.unwrap(), client.prepare(MANY).await.unwrap()];
        Client { client, one, many }
    }
}

impl Client {
    /// Appends in a transaction of its own; a version that is taken would be refused by the index.
    pub(crate) async fn append(&mut self, parts: Vec<Part>) {
        let mut rows = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            for (event, version) in part.events.into_iter().zip(part.version as i64 + 1..) {
                rows.0.push(part.stream.clone());
                rows.1.push(version);
                rows.2.push(event.id);
                rows.3.push(event.event_type);
                rows.4.push(event.data);
            }
        }
        let (streams, versions, ids, types, data) = &rows;
        let answer = match ids.as_slice() {
            [id] => self.client.query(&self.one, &[&streams[0], &versions[0], id, &types[0], &data[0]]).await,
            _ => self.client.query(&self.many, &[streams, versions, ids, types, data]).await,
        };
        assert_eq!(answer.unwrap().len(), ids.len());
    }
}

fn configuration(dir: &Path, port: u16, over: Over) -> tokio_postgres::Config {
    let mut configuration = tokio_postgres::Config::new();
    configuration.user("bench").dbname("postgres").port(port);
    match over {
        Over::Tcp => configuration.host("127.0.0.1"),
        Over::Unix => configuration.host_path(dir),
    };
    configuration
}

fn find(name: &str) -> Result<PathBuf, String> {
    program(name, &[&format!("{DEBIAN}/{name}")]).ok_or_else(|| format!("there is no program {name}"))
}

/// A command of PostgreSQL, as another user if this one is root.
fn unprivileged(name: &str) -> Result<Command, String> {
    let path = find(name)?;
    if !rustix::process::getuid().is_root() {
        return Ok(Command::new(path));
    }
    let user = UNPRIVILEGED.to_string();
    let mut command = Command::new(program("setpriv", &[]).ok_or("there is no program setpriv to leave root with")?);
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(path);
    Ok(command)
}

/// What is measured, in a word or two.
pub(crate) fn version() -> String {
    let output = find("postgres").ok().and_then(|path| Command::new(path).arg("--version").output().ok());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    text.split_whitespace().nth(2).map_or_else(|| "PostgreSQL".to_owned(), |version| format!("PostgreSQL {version}"))
}
