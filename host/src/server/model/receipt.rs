//! The wire's shapes around receipts; the documents themselves are the engine's, because their bytes are what is signed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::{Aspect, Check, Receipt};

/// The key that signs this host's receipts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HostKey {
    /// `ed25519`.
    pub algorithm: String,
    /// The public key: 64 hexadecimal digits.
    pub key: String,
}

/// What a check of a receipt or a proof came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckedReceipt {
    /// Whether all that was checked holds.
    pub sound: bool,
    /// The public key in the document; only who knows it from elsewhere knows whose it is.
    pub key: String,
    pub receipt: Receipt,
    /// What was checked and holds, in this order. What is not in it was not checked.
    pub holds: Vec<Aspect>,
    /// The first thing that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<Aspect>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl From<Check> for CheckedReceipt {
    fn from(check: Check) -> Self {
        let Check { document, receipt, holds, refusal } = check;
        let (differs, detail) = refusal.map(|refusal| (refusal.differs, refusal.detail)).unzip();
        Self { sound: differs.is_none(), key: document.key, receipt, holds, differs, detail }
    }
}
