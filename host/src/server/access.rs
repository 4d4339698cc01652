//! Who may do what: a request's scopes and categories, from the way it came and the token that it shows.
//!
//! Who reaches the socket in the data directory owns it, and may do everything. So may who comes from this machine to a
//! loopback address, unless tokens are required there too. Everybody else shows a token; one that is shown always counts.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;

use super::model::{Scope, Token};
use super::problem::{Code, Problem};
use super::tokens::Tokens;
use crate::engine::ProjectionManifest;
use crate::event::{Filter, StreamName, category_of};

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Through the socket in the data directory.
    Socket,
    /// From this machine, over TCP.
    Loopback,
    /// From anywhere.
    Network,
}

/// What a request may do.
#[derive(Clone, Debug)]
pub struct Access {
    scopes: BTreeSet<Scope>,
    /// The only categories that it may see; all if there are none.
    categories: BTreeSet<String>,
    /// Whether it came through the socket in the data directory, or from the process that has the directory open.
    is_at_home: bool,
    /// Over when its token is revoked.
    revoked: CancellationToken,
}

impl Access {
    /// Whether it is kept to some categories.
    pub(super) fn is_limited(&self) -> bool {
        !self.categories.is_empty()
    }

    /// Whoever has the data directory.
    pub fn owner() -> Self {
        Self { is_at_home: true, ..Self::of_this_machine() }
    }

    /// Whoever comes from this machine over TCP.
    fn of_this_machine() -> Self {
        let scopes = BTreeSet::from([Scope::Append, Scope::Read, Scope::Manage]);
        Self { scopes, categories: BTreeSet::new(), is_at_home: false, revoked: CancellationToken::new() }
    }

    /// Whether it may have the secret that signs receipts: who reads the data directory has it anyway.
    pub(super) fn may_have_host_key(&self) -> bool {
        self.is_at_home
    }

    /// Whether it may have the keys of streams, and bring some: who reads the data directory has them anyway.
    pub(super) fn may_have_keys(&self) -> Result<(), Problem> {
        if self.is_at_home {
            return Ok(());
        }
        Err(forbidden(
            "keys leave and enter through the socket in the data directory alone: run `polyfold keys` there".to_owned(),
        ))
    }

    /// Whether it may say whom to trust. No token may, so that whoever gets hold of one can install only what trusted
    /// publishers signed.
    pub(super) fn may_trust(&self) -> Result<(), Problem> {
        if self.is_at_home {
            return Ok(());
        }
        Err(forbidden(
            "whom to trust is said through the socket in the data directory alone: run `polyfold trust` there"
                .to_owned(),
        ))
    }

    pub(super) fn of(token: &Token) -> Self {
        let (scopes, categories) = (token.scopes.iter().copied(), token.categories.iter().cloned());
        let (scopes, categories) = (scopes.collect(), categories.collect());
        Self { scopes, categories, is_at_home: false, revoked: CancellationToken::new() }
    }

    /// Over when the token is revoked: what it follows ends then.
    pub(super) fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }

    fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let scope = match scope {
            Scope::Append => "append",
            Scope::Read => "read",
            Scope::Manage => "manage",
        };
        Err(forbidden(format!("the token has not the scope {scope}, which this needs")))
    }

    /// Whether events may be appended to a stream, and expectations made of it.
    pub fn may_append(&self, stream: &StreamName) -> Result<(), Problem> {
        self.may_touch(stream.category())
    }

    /// Whether a stream's events may be read.
    pub fn may_read_stream(&self, stream: &str) -> Result<(), Problem> {
        self.may_touch(category_of(stream))
    }

    fn may_touch(&self, category: &str) -> Result<(), Problem> {
        if self.categories.is_empty() || self.categories.contains(category) {
            return Ok(());
        }
        Err(forbidden(format!("the token is not for category {category:?}")))
    }

    /// Narrows a filter to what may be read. A category that was asked for by name and may not be read is refused.
    pub fn filter(&self, mut filter: Filter) -> Result<Filter, Problem> {
        for category in &filter.categories {
            self.may_touch(category)?;
        }
        // No categories in a filter are all of them.
        if filter.categories.is_empty() {
            filter.categories.clone_from(&self.categories);
        }
        Ok(filter)
    }

    /// Whether what a projection makes may be read: only if it is made from nothing but what may be read.
    pub fn may_read_projection(&self, manifest: &ProjectionManifest) -> Result<(), Problem> {
        let wanted = &manifest.filter.categories;
        if self.categories.is_empty() || (!wanted.is_empty() && wanted.is_subset(&self.categories)) {
            return Ok(());
        }
        Err(forbidden("the projection reads categories that the token is not for".to_owned()))
    }
}

/// Takes what the gate found out. A request that came through no gate is made by this process itself.
impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let access = parts.extensions.get::<Arc<Access>>();
        Ok(access.map_or_else(Self::owner, |access| Self::clone(access)))
    }
}

/// Finds out what a request may do, and whether that is enough for its route.
pub(super) fn admit(
    door: Door,
    tokens: &Tokens,
    is_required: bool,
    (method, path, headers): (&Method, &str, &HeaderMap),
) -> Result<Arc<Access>, Problem> {
    let Some(scope) = needed(method, path) else { return Ok(Arc::new(Access::owner())) };
    let access = match headers.get(AUTHORIZATION) {
        Some(shown) => {
            let token = shown.to_str().ok().and_then(|shown| shown.split_once(' '));
            let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let access = token.and_then(|(_, token)| tokens.access(token.trim()));
            access.ok_or_else(|| unauthorized("the token is none of this host's, or it was revoked"))?
        }
        None if door == Door::Socket => Arc::new(Access::owner()),
        None if door == Door::Loopback && !is_required => {
            not_by_a_web_page(headers)?;
            Arc::new(Access::of_this_machine())
        }
        None => return Err(unauthorized("a token is needed: `Authorization: Bearer TOKEN`")),
    };
    access.may(scope)?;
    Ok(access)
}

/// The scope that a route needs; none for those that say only whether the host is well.
fn needed(method: &Method, path: &str) -> Option<Scope> {
    let is_read = *method == Method::GET || *method == Method::HEAD;
    match path {
        "/healthz" | "/readyz" if is_read => None,
        "/events" if *method == Method::POST => Some(Scope::Append),
        path if path == "/archive" || path.starts_with("/archive/") => Some(Scope::Manage),
        path if path == "/retention" || path.starts_with("/retention/") => Some(Scope::Manage),
        path if path == "/tokens" || path.starts_with("/tokens/") => Some(Scope::Manage),
        "/keys" | "/keys/export" => Some(Scope::Manage),
        path if is_read && !runs_plugin(path) => Some(Scope::Read),
        _ => Some(Scope::Manage),
    }
}

/// Whether a look makes the host run a plugin over events of the past: that takes processors, not only data.
fn runs_plugin(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(*parts, ["", "projections", _, "debug" | "explain" | "trace"] | ["", "plugins", _, "trace"])
}

/// A web page that somebody on this machine looks at must not use their way in: browsers name the page in `Origin`, and
/// a name that was bent to point here in `Host`.
fn not_by_a_web_page(headers: &HeaderMap) -> Result<(), Problem> {
    let is_here = |name: &str| {
        let host = name.rsplit_once(':').filter(|(_, port)| port.bytes().all(|it| it.is_ascii_digit()));
        let host = host.map_or(name, |(host, _)| host);
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let origin = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    if host.is_none_or(is_here) && origin.is_none_or(is_here) {
        return Ok(());
    }
    Err(forbidden("without a token only programs on this machine are let in, under a loopback name".to_owned()))
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(Code::Unauthorized, detail)
}

fn forbidden(detail: String) -> Problem {
    Problem::new(Code::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(categories: &[&str]) -> Access {
        let categories = categories.iter().map(ToString::to_string).collect();
        Access { scopes: BTreeSet::from([Scope::Read]), categories, ..Access::of_this_machine() }
    }

    fn filter(categories: &[&str]) -> Filter {
        Filter { categories: categories.iter().map(ToString::to_string).collect(), ..Filter::all() }
    }

    #[test]
    fn each_route_needs_a_scope() {
        let check = |method: Method, path: &str, scope: Option<Scope>| {
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        };
        check(Method::GET, "/healthz", None);
        check(Method::POST, "/readyz", Some(Scope::Manage));
        check(Method::POST, "/events", Some(Scope::Append));
        check(Method::GET, "/events/stream", Some(Scope::Read));
        check(Method::GET, "/metrics", Some(Scope::Read));
        check(Method::GET, "/key", Some(Scope::Read));
        check(Method::POST, "/receipts/check", Some(Scope::Manage));
        check(Method::GET, "/trust", Some(Scope::Read));
        check(Method::POST, "/trust/publishers", Some(Scope::Manage));
        check(Method::GET, "/tokens", Some(Scope::Manage));
        check(Method::DELETE, "/tokens/1", Some(Scope::Manage));
        check(Method::POST, "/projections/x/promote", Some(Scope::Manage));
        check(Method::POST, "/backup", Some(Scope::Manage));
        check(Method::GET, "/retention/plan", Some(Scope::Manage));
        check(Method::GET, "/projections/x/explain", Some(Scope::Manage));
        check(Method::GET, "/projections/x/debug", Some(Scope::Manage));
        check(Method::GET, "/projections/x/state/debug", Some(Scope::Read));
        check(Method::GET, "/plugins/x/trace", Some(Scope::Manage));
        check(Method::POST, "//events", Some(Scope::Manage));
    }

    #[test]
    fn a_filter_is_narrowed_to_what_may_be_read() {
        let limited = access(&["order", "shop"]);
        assert_eq!(limited.filter(filter(&[])).unwrap(), filter(&["order", "shop"]));
        assert_eq!(limited.filter(filter(&["order"])).unwrap(), filter(&["order"]));
        assert_eq!(limited.filter(filter(&["order", "salary"])).unwrap_err().code, Code::Forbidden);
        assert_eq!(access(&[]).filter(filter(&["salary"])).unwrap(), filter(&["salary"]));
        assert!(limited.may_read_stream("order/1").is_ok());
        assert!(limited.may_read_stream("salary/1").is_err());
        assert!(limited.may_append(&StreamName::new("salary/order").unwrap()).is_err());
    }

    #[test]
    fn a_web_page_is_not_let_in() {
        let check = |host: &str, origin: Option<&str>, is_let_in: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(not_by_a_web_page(&headers).is_ok(), is_let_in, "{host} {origin:?}");
        };
        check("localhost:7070", None, true);
        check("127.0.0.1", None, true);
        check("[::1]:7070", Some("http://localhost:8000"), true);
        check("evil.example:7070", None, false);
        check("127.0.0.1.evil.example", None, false);
        check("localhost", Some("https://evil.example"), false);
        check("localhost", Some("null"), false);
    }
}
