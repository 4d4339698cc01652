//! Requests to a registry: nothing is read without end, nothing goes out in the clear, and a login only to who may ask.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest_registry::header::{ACCEPT, AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use reqwest_registry::redirect::{Attempt, Policy};
use reqwest_registry::{Client, Response, StatusCode, Url};
use serde::Deserialize;

use super::reference::is_loopback;
use super::{Credentials, Error, Reference, install_provider};

const CONNECT: Duration = Duration::from_secs(10);
/// A manifest or a token is one small answer.
const SMALL: Duration = Duration::from_secs(60);
/// 64 MiB in this time are 110 KiB a second.
const LARGE: Duration = Duration::from_secs(600);
/// A token has some KiB.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// As much of an error as a person reads.
const ERROR_BYTES_MAX: usize = 4 << 10;
const REDIRECTS_MAX: usize = 5;

/// A way to one repository of a registry.
pub(super) struct Way<'a> {
    reference: &'a Reference,
    credentials: Option<Credentials>,
    /// What the registry took as a login.
    authorization: Option<String>,
    /// Follows nothing: who answers is the registry itself.
    strict: Client,
    /// Follows to where a registry keeps its blobs.
    lenient: Client,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Size {
    Small,
    Large,
}

impl<'a> Way<'a> {
    pub(super) fn open(
        reference: &'a Reference,
        credentials: Option<Credentials>,
        patience: Duration,
    ) -> Result<Self, Error> {
        install_provider();
        let is_here = reference.is_loopback();
        let client = |redirects: Policy| {
            let client = Client::builder().redirect(redirects).connect_timeout(CONNECT).read_timeout(patience);
            let client = client.user_agent(concat!("polyfold/", env!("CARGO_PKG_VERSION")));
            let client = if is_here { client.no_proxy() } else { client };
            client.build().map_err(|error| Error::Incomplete(format!("no connection can be made: {}", deepest(&error))))
        };
        let (strict, lenient) = (client(Policy::none())?, client(Policy::custom(move |next| follow(next, is_here)))?);
        Ok(Self { reference, credentials, authorization: None, strict, lenient })
    }

    /// Gets what lies under a path of the repository, and logs in if the registry asks for it. The answer is one of 200.
    pub(super) async fn get(&mut self, path: &str, accept: &str, size: Size) -> Result<Response, Error> {
        let url = format!("{}/{path}", self.reference.base());
        let mut response = self.ask(&url, accept, size).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            self.log_in(&response.headers().clone()).await?;
            response = self.ask(&url, accept, size).await?;
        }
        match response.status() {
            StatusCode::OK => Ok(response),
            _ => Err(self.refused(path, response).await),
        }
    }

    async fn ask(&self, url: &str, accept: &str, size: Size) -> Result<Response, Error> {
        let (client, deadline) = match size {
            Size::Small => (&self.strict, SMALL),
            Size::Large => (&self.lenient, LARGE),
        };
        let request = client.get(url).header(ACCEPT, accept).timeout(deadline);
        let request = self.authorization.iter().fold(request, |request, it| request.header(AUTHORIZATION, it));
        request.send().await.map_err(|error| self.broken(&error))
    }

    /// Does what the registry's challenge asks for.
    async fn log_in(&mut self, headers: &HeaderMap) -> Result<(), Error> {
        let challenge = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let Some(challenge) = challenge.and_then(Challenge::parse) else {
            return Err(Error::Refused(format!("{} refuses and does not say what it wants", self.reference.host())));
        };
        self.authorization = match (challenge, &self.credentials) {
            (Challenge::Basic, Some(credentials)) => Some(credentials.basic()),
            (Challenge::Basic, None) => return Err(self.wants_login()),
            (Challenge::Bearer(wanted), credentials) => Some(self.token(&wanted, credentials.as_ref()).await?),
        };
        Ok(())
    }

    /// Gets a token from where the registry says, as every registry's client does, but not in the clear.
    async fn token(&self, wanted: &Bearer, credentials: Option<&Credentials>) -> Result<String, Error> {
        let host = self.reference.host();
        let realm = Url::parse(&wanted.realm).ok();
        let Some(mut realm) = realm.filter(|realm| is_safe(realm, self.reference.is_loopback())) else {
            let realm = wanted.realm.escape_debug();
            return Err(Error::Refused(format!("{host} sends for a token to {realm}, which is not reached by TLS")));
        };
        let scope = format!("repository:{}:pull", self.reference.inner.repository());
        realm.query_pairs_mut().append_pair("scope", wanted.scope.as_deref().unwrap_or(&scope));
        if let Some(service) = &wanted.service {
            realm.query_pairs_mut().append_pair("service", service);
        }
        let request = self.strict.get(realm.clone()).timeout(SMALL);
        let request = credentials.iter().fold(request, |request, it| request.header(AUTHORIZATION, it.basic()));
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        if response.status() != StatusCode::OK {
            return Err(self.wants_login());
        }
        let body = self.read(response, TOKEN_BYTES_MAX, "the token").await?;
        let token: Token = serde_json::from_slice(&body)
            .map_err(|_| Error::Refused(format!("{} answers with no token", realm.host_str().unwrap_or(host))))?;
        match token.token.or(token.access_token) {
            Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(format!("Bearer {token}")),
            Some(_) | None => Err(Error::Refused(format!("{host} answers with no token"))),
        }
    }

    /// Reads an answer up to an end that was known before.
    pub(super) async fn read(&self, mut response: Response, bytes_max: usize, what: &str) -> Result<Vec<u8>, Error> {
        let too_large = || {
            let host = self.reference.host();
            Error::Refused(format!("{host} sends more for {what} than the {bytes_max} bytes that it may have"))
        };
        if response.content_length().is_some_and(|length| length > bytes_max as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn wants_login(&self) -> Error {
        let host = self.reference.host();
        match self.credentials {
            Some(_) => Error::Refused(format!("{host} does not take that name and password")),
            None => Error::Refused(format!(
                "{host} wants to know who asks, or has no such repository: give --username and --password-file"
            )),
        }
    }

    /// What an answer that is no 200 means.
    async fn refused(&self, path: &str, response: Response) -> Error {
        let (reference, status) = (self.reference, response.status());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.wants_login(),
            StatusCode::NOT_FOUND if path.starts_with("manifests/") => {
                Error::NotFound(format!("there is no {reference}: the registry has no such repository or tag"))
            }
            StatusCode::NOT_FOUND => Error::Refused(format!("{reference}: the registry does not have its content")),
            status if status.is_redirection() => {
                let host = reference.host();
                Error::Refused(format!("{host} sends elsewhere for {path}, which is followed for content alone"))
            }
            status => {
                let said = self.read(response, ERROR_BYTES_MAX, "an error").await.unwrap_or_default();
                let mut text = format!("{} answers {status}", reference.host());
                if let Ok(said) = std::str::from_utf8(said.trim_ascii())
                    && !said.is_empty()
                {
                    let _ = write!(text, ": {}", said.escape_debug());
                }
                Error::Incomplete(text)
            }
        }
    }

    fn broken(&self, error: &reqwest_registry::Error) -> Error {
        let host = self.reference.host();
        if error.is_redirect() {
            return Error::Refused(format!("{host} sends elsewhere too often, or to where no TLS is"));
        }
        if error.is_timeout() {
            return Error::Incomplete(format!(
                "{host} does not answer, or not in time; --timeout lets it be silent longer"
            ));
        }
        Error::Incomplete(format!("{host} cannot be reached: {}", deepest(error)))
    }
}

impl Credentials {
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer(Bearer),
}

/// Where a registry sends for a token.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bearer {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// The first challenge that is understood.
    fn parse(text: &str) -> Option<Self> {
        http_auth::parse_challenges(text).ok()?.into_iter().find_map(|challenge| {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Self::Basic);
            }
            let param = |name: &str| {
                let found = challenge.params.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            let is_bearer = challenge.scheme.eq_ignore_ascii_case("bearer");
            let realm = param("realm").filter(|_| is_bearer)?;
            Some(Self::Bearer(Bearer { realm, service: param("service"), scope: param("scope") }))
        })
    }
}

/// Whether a request may go there: by TLS, or without it from this machine to this machine.
fn is_safe(url: &Url, is_here: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_here && url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// Follows a registry to where it keeps its blobs. The login stays behind: the library drops it where the host changes.
fn follow(next: Attempt<'_>, is_here: bool) -> reqwest_registry::redirect::Action {
    if next.previous().len() > REDIRECTS_MAX {
        return next.error("too many redirects");
    }
    if is_safe(next.url(), is_here) { next.follow() } else { next.error("it leads to where no TLS is") }
}

/// The cause of an error, which says more than all that is wrapped around it.
fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_understood() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let (service, scope) = (service.map(str::to_owned), scope.map(str::to_owned));
            Some(Challenge::Bearer(Bearer { realm: realm.to_owned(), service, scope }))
        };
        let check = |text: &str, expected: Option<Challenge>| assert_eq!(Challenge::parse(text), expected, "{text}");
        check("Basic realm=\"x\"", Some(Challenge::Basic));
        check("Bearer realm=\"https://a/t\"", bearer("https://a/t", None, None));
        check(
            "bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:r:pull\"",
            bearer("https://a/t", Some("s"), Some("repository:r:pull")),
        );
        check("Bearer service=\"s\"", None);
        check("Digest realm=\"x\", Basic realm=\"y\"", Some(Challenge::Basic));
        check("", None);
        check("Bearer realm=\"", None);
    }

    #[test]
    fn nothing_goes_out_in_the_clear() {
        let check = |url: &str, is_here: bool, is_allowed: bool| {
            assert_eq!(is_safe(&Url::parse(url).unwrap(), is_here), is_allowed, "{url} {is_here}");
        };
        check("https://cdn.example/x", false, true);
        check("http://cdn.example/x", false, false);
        check("http://127.0.0.1:5000/x", false, false);
        check("http://127.0.0.1:5000/x", true, true);
        check("http://[::1]:5000/x", true, true);
        check("http://cdn.example/x", true, false);
        check("file:///etc/passwd", true, false);
    }
}
