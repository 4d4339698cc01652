//! Signatures of plugins in minisign's format: whose key made one, and whether it holds for a file.
//!
//! What is signed is the file as it was handed over. A core module is signed before it is wrapped, so that its publisher
//! signs what a compiler made, and `minisign -V` says the same of the file as this host does.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use minisign_verify::{PublicKey, Signature};

/// 8 KiB: four lines, of which minisign itself lets one have that length.
pub const SIGNATURE_BYTES_MAX: usize = 8 << 10;

/// What keys and signatures begin with in binary: an algorithm, and the key's id.
const ALGORITHM_BYTES: usize = 2;
const ID_BYTES: usize = 8;

/// Why a signature, or a key, is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is no minisign public key: give the line that begins with RW, or the file that holds it")]
    NoKey,
    #[error("it is a weak key, for which anybody can sign: no minisign makes one; ask the publisher for the real one")]
    WeakKey,
    #[error("the signature is no minisign signature ({0}): `minisign -Sm FILE` makes one")]
    NoSignature(&'static str),
    #[error("the signature has {0} bytes, at most {SIGNATURE_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("the signature is in minisign's old format, which is not taken: sign again with minisign 0.10 or newer")]
    Legacy,
    #[error(
        "the signature of key {key} ({publisher}) does not fit: the file is not the one that was signed, or the \
         signature was changed; nothing was installed"
    )]
    Invalid { key: KeyId, publisher: String },
}

/// The number that minisign gives a key when it is made. Whoever makes a key chooses it, so it names a key and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(u64);

impl fmt::Display for KeyId {
    /// As minisign writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl KeyId {
    /// From the line of base64 that holds a key or a signature.
    fn in_line(line: &str) -> Option<Self> {
        let bytes = STANDARD.decode(line.trim()).ok()?;
        let id = bytes.get(ALGORITHM_BYTES..ALGORITHM_BYTES + ID_BYTES)?;
        Some(Self(u64::from_le_bytes(id.try_into().ok()?)))
    }
}

/// A publisher's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// As minisign prints it.
    line: String,
    key: PublicKey,
    pub(super) id: KeyId,
}

impl Key {
    /// Reads the line that holds a key, or a file in which it is the second line.
    pub(super) fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines.find(|line| !line.starts_with("untrusted comment:")).ok_or(SignatureError::NoKey)?;
        let key = PublicKey::from_base64(line).map_err(|_| SignatureError::NoKey)?;
        let id = KeyId::in_line(line).filter(|_| lines.next().is_none()).ok_or(SignatureError::NoKey)?;
        if is_weak(line) {
            return Err(SignatureError::WeakKey);
        }
        Ok(Self { line: line.to_owned(), key, id })
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }
}

/// Whether a key is no point of the curve, or one of small order: a signature can then hold for any file, and the verifier
/// does not look.
fn is_weak(line: &str) -> bool {
    let point = STANDARD.decode(line.trim()).ok();
    let point = point.and_then(|bytes| <[u8; 32]>::try_from(bytes.get(ALGORITHM_BYTES + ID_BYTES..)?).ok());
    point.and_then(|point| VerifyingKey::from_bytes(&point).ok()).is_none_or(|key| key.is_weak())
}

/// A signature that came with a file. Until [`Detached::holds`] says so it is a claim.
pub(super) struct Detached {
    signature: Signature,
    pub(super) key: KeyId,
}

impl Detached {
    pub(super) fn parse(text: &str) -> Result<Self, SignatureError> {
        if text.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureError::TooLong(text.len()));
        }
        let signature =
            Signature::decode(text).map_err(|_| SignatureError::NoSignature("it has not its four lines"))?;
        let key = text.lines().nth(1).and_then(KeyId::in_line);
        Ok(Self { signature, key: key.ok_or(SignatureError::NoSignature("it names no key"))? })
    }

    /// Whether that key made the signature, of these bytes.
    pub(super) fn holds(&self, key: &Key, bytes: &[u8]) -> Result<bool, SignatureError> {
        use minisign_verify::Error as E;
        match key.key.verify(bytes, &self.signature, false) {
            Ok(()) => Ok(true),
            Err(E::UnexpectedAlgorithm | E::UnsupportedLegacyMode) => Err(SignatureError::Legacy),
            Err(E::InvalidEncoding | E::InvalidSignature | E::IoError(_)) => Ok(false),
            Err(E::UnexpectedKeyId | E::UnsupportedAlgorithm) => Ok(false),
        }
    }

    /// What its maker wrote beside it, and signed too: to be shown only once it holds.
    pub(super) fn trusted_comment(&self) -> &str {
        self.signature.trusted_comment()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key pair that is made anew for each test.
    pub(crate) struct Pair(minisign::KeyPair);

    impl Pair {
        pub(crate) fn new() -> Self {
            Self(minisign::KeyPair::generate_unencrypted_keypair().unwrap())
        }

        pub(crate) fn public(&self) -> String {
            self.0.pk.to_base64()
        }

        pub(crate) fn sign(&self, bytes: &[u8], comment: &str) -> String {
            minisign::sign(None, &self.0.sk, bytes, Some(comment), None).unwrap().to_string()
        }
    }

    #[test]
    fn a_signature_holds_for_its_key_and_its_bytes_alone() {
        let (pair, other) = (Pair::new(), Pair::new());
        let detached = Detached::parse(&pair.sign(b"plugin", "version 1")).unwrap();
        let (key, stranger) = (Key::parse(&pair.public()).unwrap(), Key::parse(&other.public()).unwrap());
        assert_eq!((detached.key, detached.trusted_comment()), (key.id, "version 1"));
        assert_eq!(detached.holds(&key, b"plugin"), Ok(true));
        assert_eq!(detached.holds(&key, b"plugim"), Ok(false));
        assert_eq!(detached.holds(&stranger, b"plugin"), Ok(false));
    }

    #[test]
    fn a_changed_comment_is_found_out() {
        let pair = Pair::new();
        let text = pair.sign(b"plugin", "version 1").replace("version 1", "version 2");
        assert_eq!(Detached::parse(&text).unwrap().holds(&Key::parse(&pair.public()).unwrap(), b"plugin"), Ok(false));
    }

    #[test]
    fn what_minisign_itself_made_holds() {
        // From its documentation.
        const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
            RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
            trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
            wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n");
        let key = Key::parse(&file).unwrap();
        assert_eq!((key.line(), key.id.to_string().as_str()), (KEY, "E7620F1842B4E81F"));
        let detached = Detached::parse(SIGNATURE).unwrap();
        assert_eq!(detached.holds(&key, b"test"), Ok(true));
        assert_eq!(detached.holds(&key, b"Test"), Ok(false));
    }

    /// The points of small order, as anybody can write them; the last two in forms that only a lax reader takes.
    #[test]
    fn a_key_that_anybody_can_sign_for_is_no_key() {
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let (zero, mut one) = ([0; 32], [0; 32]);
        one[0] = 1;
        let (mut p, mut negative_one) = ([0xff; 32], one);
        (p[0], p[31], negative_one[31]) = (0xed, 0x7f, 0x80);
        for point in [minus_one, zero, one, p, negative_one] {
            let line = STANDARD.encode([&b"Ed12345678"[..], &point].concat());
            assert_eq!(Key::parse(&line), Err(SignatureError::WeakKey), "{point:?}");
        }
    }

    #[test]
    fn what_is_no_key_and_no_signature_is_refused() {
        for text in ["", "RW", "untrusted comment: x", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\nmore"]
        {
            assert_eq!(Key::parse(text), Err(SignatureError::NoKey), "{text}");
        }
        let refusal = |text: &str| Detached::parse(text).err().unwrap().to_string();
        assert!(refusal("nothing").contains("four lines"));
        assert!(refusal(&"x".repeat(SIGNATURE_BYTES_MAX + 1)).contains("8193 bytes"));
    }
}
