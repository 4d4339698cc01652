//! A request's query, read by name, with a problem for whatever does not fit.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::{Code, Problem};

#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Sync + Send> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        query.map(|Query(pairs)| Self(pairs)).map_err(|error| invalid(format!("the query: {error}")))
    }
}

/// For a route that has no query.
#[derive(Debug)]
pub(super) struct NoParams;

impl<S: Sync + Send> FromRequestParts<S> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Params::from_request_parts(parts, state).await?.only(&[]).map(|()| Self)
    }
}

impl Params {
    /// Parameters that may stand more than once.
    const REPEATED: [&str; 2] = ["category", "type"];

    /// Refuses a name that the route does not know, as a likely slip, and one that stands twice.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for (name, _) in &self.0 {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(invalid(format!("unknown query parameter {name:?}; known: {known}")));
            }
            if !seen.insert(name) && !Self::REPEATED.contains(&name.as_str()) {
                return Err(invalid(format!("query parameter {name:?} stands twice")));
            }
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all(&self, name: &str) -> BTreeSet<String> {
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let parse = |text: &str| text.parse().map_err(|error| invalid(format!("{name}={text}: {error}")));
        self.text(name).map(parse).transpose()
    }

    /// A number between 1 and a maximum.
    pub(super) fn limit(&self, default: usize, max: usize) -> Result<usize, Problem> {
        let limit = self.parsed("limit")?.unwrap_or(default);
        if (1..=max).contains(&limit) { Ok(limit) } else { Err(invalid(format!("limit must be 1 to {max}"))) }
    }

    pub(super) fn seconds(&self, name: &str, default: u64, max: u64) -> Result<std::time::Duration, Problem> {
        let seconds = self.parsed(name)?.unwrap_or(default);
        if seconds > max {
            return Err(invalid(format!("{name} must be at most {max} seconds")));
        }
        Ok(std::time::Duration::from_secs(seconds))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        Ok(self.parsed(name)?.unwrap_or(default))
    }
}

pub(super) fn invalid(detail: String) -> Problem {
    Problem::new(Code::InvalidRequest, detail)
}
