//! Tokens and what they allow.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A bearer token without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// The only categories that it may append to and read; all if empty.
    pub categories: Vec<String>,
    pub created_at: String,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    Append,
    Read,
    Manage,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$", min_length = 1, max_length = 256)]
    pub name: String,
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// The only categories that it may append to and read; all if empty. Not for a token that may manage.
    #[serde(default)]
    #[schema(max_items = 256)]
    pub categories: Vec<String>,
}

/// A token that was made just now; its secret is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    #[serde(flatten)]
    pub token: Token,
    pub secret: String,
}
