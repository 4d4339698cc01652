//! Where a plugin comes from, in a few words.

use crate::server::model::{Signature, Source, Standing};

/// Who signed a plugin, and what that is worth.
pub(in crate::cli) fn signer(signature: Option<&Signature>) -> String {
    let Some(signature) = signature else { return "unsigned".to_owned() };
    let by = signature.signer.as_deref().unwrap_or("nobody").escape_debug().to_string();
    match signature.standing {
        Standing::Trusted => format!("signed by {by}"),
        Standing::UnknownKey => format!("signed by unknown key {}", signature.key_id),
        Standing::OtherPlugin => format!("signed by {by}, who is not trusted for it"),
        Standing::Expired => format!("signed by {by}, whose time was over"),
        Standing::NoLongerTrusted => format!("signed by {by}, who is no longer trusted"),
    }
}

/// All that is known of a signature.
pub(in crate::cli) fn signer_in_full(signature: Option<&Signature>) -> String {
    let mut text = signer(signature);
    if let Some(signature) = signature.filter(|signature| signature.signer.is_some()) {
        let comment = signature.trusted_comment.as_deref().unwrap_or_default().escape_debug();
        let at = signature.verified_at.as_deref().unwrap_or_default();
        text = format!("{text} (key {}, verified {at}, comment \"{comment}\")", signature.key_id);
    }
    text
}

pub(in crate::cli) fn source(source: &Source) -> String {
    format!("{}, manifest {}", source.reference.escape_debug(), source.digest)
}
