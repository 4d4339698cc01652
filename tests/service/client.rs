//! A client of the API over real sockets, and a reader of Server-Sent Events.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::server::Server;
use crate::guests;

#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    url: String,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(server: &Server) -> Self {
        Self { client: Client::new(), url: server.url.clone(), token: None }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same with connections of its own.
    pub(crate) fn alone(&self) -> Self {
        Self { client: Client::new(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        self.token.iter().fold(request, |request, token| request.bearer_auth(token))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// What must succeed.
    #[track_caller]
    pub(crate) fn done(&self, path: &str, body: &Value) -> impl Future<Output = Value> {
        let (caller, posted) = (std::panic::Location::caller(), self.post(path, body));
        async move {
            let (status, value) = posted.await;
            assert!(status < 300, "{caller}: {status} {value}");
            value
        }
    }

    pub(crate) async fn install(&self, guest: &str) {
        let (status, installed) = self.upload(guests::bytes(guest)).await;
        assert_eq!(status, 201, "{installed}");
    }

    /// Asks for the installation of these bytes.
    pub(crate) async fn upload(&self, bytes: Vec<u8>) -> (u16, Value) {
        let upload = self.request(Method::POST, "/plugins").header("content-type", "application/wasm");
        answer(upload.body(bytes)).await
    }

    /// Appends one event, which must be taken, and returns its sequence.
    pub(crate) async fn append(&self, stream: &str, event_type: &str, data: Value) -> u64 {
        let event = json!({ "stream": stream, "type": event_type, "data": data });
        self.done("/events", &event).await["events"][0]["sequence"].as_u64().unwrap()
    }

    /// A state's number under a key, and the sequence up to which the state holds.
    pub(crate) async fn number(&self, key: &str) -> (u64, u64) {
        let answer = self.request(Method::GET, &format!("/projections/{key}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{key}");
        let checkpoint = answer.headers()["polyfold-checkpoint"].to_str().unwrap().parse().unwrap();
        let entry: Value = answer.json().await.unwrap();
        (entry["value"].as_u64().unwrap(), checkpoint)
    }

    pub(crate) async fn follow(&self, path: &str, last: Option<&str>) -> Events {
        let request = self.request(Method::GET, path).header("accept", "text/event-stream");
        let response = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Events { response, text: Vec::new() }
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A stream of Server-Sent Events.
pub(crate) struct Events {
    response: reqwest::Response,
    text: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Events {
    /// The next event; none when the stream has ended, one way or another.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let text: Vec<u8> = self.text.drain(..end + 2).collect();
                let text = String::from_utf8(text).unwrap();
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(event) = field("event: ") {
                    let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                    return Some(Sent { event, id: field("id: "), data });
                }
                continue;
            }
            self.text.extend(self.response.chunk().await.ok()??);
        }
    }

    /// The next event, which must be of that kind.
    #[track_caller]
    pub(crate) fn expect(&mut self, event: &str) -> impl Future<Output = Sent> {
        let caller = std::panic::Location::caller();
        async move {
            let sent = self.next().await.unwrap_or_else(|| panic!("{caller}: the stream has ended"));
            assert_eq!(sent.event, event, "{caller}: {sent:?}");
            sent
        }
    }
}
