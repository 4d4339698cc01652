//! `/tokens`: makes, lists and revokes bearer tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::super::Host;
use super::super::accept::Form;
use super::super::answer::read_json;
use super::super::model::{MadeToken, NewToken, Token};
use super::super::params::NoParams;
use super::super::problem::{Code, Problem};
use super::{TokenError, Tokens};

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Invalid(_) => Code::InvalidRequest,
            TokenError::Unknown(_) => Code::UnknownToken,
            TokenError::Unreadable { .. } => Code::Damaged,
            TokenError::File { .. } | TokenError::NoRandomness(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Lists tokens, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, description = "All tokens", body = Vec<Token>)))]
pub(in crate::server) async fn list(State(host): State<Arc<Host>>, form: Form, _: NoParams) -> Response {
    form.answer(StatusCode::OK, &host.service().tokens().list())
}

/// Makes a token. Its secret is shown this once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "create_token", request_body = NewToken,
    responses((status = 201, description = "The token with its secret", body = MadeToken)))]
pub(in crate::server) async fn create(
    State(host): State<Arc<Host>>,
    form: Form,
    _: NoParams,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let new: NewToken = read_json(&headers, body).await?;
    let made = on_disk(&host, move |tokens| tokens.create(new)).await?;
    tracing::info!(id = made.token.id, name = made.token.name, "a token was made");
    Ok(form.answer(StatusCode::CREATED, &made))
}

/// Revokes a token: from now on it opens nothing, and what it follows ends.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revoke_token",
    params(("id" = String, Path)), responses((status = 204, description = "It is revoked"), (status = 404)))]
pub(in crate::server) async fn revoke(
    State(host): State<Arc<Host>>,
    _: NoParams,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let revoked = id.clone();
    on_disk(&host, move |tokens| tokens.revoke(&revoked)).await?;
    tracing::info!(id, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Work that waits for the disk is done where it holds up no request.
async fn on_disk<T: Send + 'static>(
    host: &Arc<Host>,
    work: impl FnOnce(&Tokens) -> Result<T, TokenError> + Send + 'static,
) -> Result<T, Problem> {
    let host = Arc::clone(host);
    let done = tokio::task::spawn_blocking(move || work(host.service().tokens())).await;
    Ok(done.map_err(|error| Problem::new(Code::Internal, error.to_string()))??)
}
