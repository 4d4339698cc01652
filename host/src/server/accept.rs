//! What an answer is written as: the client's `Accept` against what the route offers.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;

use super::problem::{Code, Problem};

pub(super) const JSON: &str = "application/json";
pub(super) const CBOR: &str = "application/cbor";
pub(super) const LINES: &str = "application/x-ndjson";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Cbor,
}

impl Form {
    /// That of a problem: a client that takes nothing known is told so in JSON.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match chosen(headers, &[JSON, CBOR]) {
            Some(CBOR) => Self::Cbor,
            Some(_) | None => Self::Json,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        choose(&parts.headers, &[JSON, CBOR])?;
        Ok(Self::of(&parts.headers))
    }
}

/// How an answer is written that can be followed while it comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LongForm {
    Whole(Form),
    Events,
}

impl<S: Sync> FromRequestParts<S> for LongForm {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match choose(&parts.headers, &[JSON, CBOR, EVENT_STREAM])? {
            EVENT_STREAM => Ok(Self::Events),
            _ => Ok(Self::Whole(Form::of(&parts.headers))),
        }
    }
}

/// How events are written: as a page, or line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageForm {
    Whole(Form),
    Lines,
}

impl<S: Sync> FromRequestParts<S> for PageForm {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match choose(&parts.headers, &[JSON, CBOR, LINES])? {
            LINES => Ok(Self::Lines),
            _ => Ok(Self::Whole(Form::of(&parts.headers))),
        }
    }
}

/// The media type that the client likes best among those offered; of equals the first.
///
/// # Errors
/// If it takes none of them.
pub(super) fn choose<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, Problem> {
    chosen(headers, offered).ok_or_else(|| {
        Problem::new(Code::NotAcceptable, format!("the answer can be written as {} only", offered.join(", ")))
    })
}

fn chosen<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    let ranges: Vec<_> = values.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    if values.iter().all(|value| value.trim().is_empty()) {
        return offered.first().copied();
    }
    let mut best: Option<(u32, &str)> = None;
    for media_type in offered {
        let quality = quality_of(&ranges, media_type);
        if quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((quality, media_type));
        }
    }
    best.map(|(_, media_type)| media_type)
}

/// A media range in lower case, and how much it is liked in thousandths.
fn range(part: &str) -> Option<(String, u32)> {
    let mut parameters = part.split(';').map(str::trim);
    let range = parameters.next().filter(|range| range.contains('/'))?.to_ascii_lowercase();
    let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f64>().ok())?;
    Some((range, (quality.clamp(0.0, 1.0) * 1e3) as u32))
}

/// The most specific range that a media type is in counts.
fn quality_of(ranges: &[(String, u32)], media_type: &str) -> u32 {
    let of = |wanted: &str| ranges.iter().find(|(range, _)| range == wanted).map(|(_, quality)| *quality);
    let kind = media_type.split_once('/').map_or(media_type, |(kind, _)| kind);
    of(media_type).or_else(|| of(&format!("{kind}/*"))).or_else(|| of("*/*")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_of_what_is_offered_is_chosen() {
        let check = |accept: &str, expected: Option<&str>| {
            let headers = [(ACCEPT, accept.parse().unwrap())].into_iter().collect();
            assert_eq!(chosen(&headers, &[JSON, CBOR, EVENT_STREAM]), expected, "{accept}");
        };
        check("", Some(JSON));
        check("*/*", Some(JSON));
        check("application/cbor", Some(CBOR));
        check("application/json, application/cbor", Some(JSON));
        check("application/json;q=0.5, application/cbor", Some(CBOR));
        check("Application/CBOR; q=0.1, text/html", Some(CBOR));
        check("text/*", Some(EVENT_STREAM));
        check("*/*, application/json;q=0, application/cbor;q=0", Some(EVENT_STREAM));
        check("image/png", None);
        check("nonsense", None);
        check("application/json;q=0", None);
        check("application/json;q=x", None);
        assert_eq!(chosen(&HeaderMap::new(), &[JSON, CBOR]), Some(JSON));
    }
}
