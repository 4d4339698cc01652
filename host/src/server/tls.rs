//! TLS from a certificate and a key in PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where the certificate chain and its key lie.
#[derive(Clone, Debug)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What stands in the way of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {why}; it must be PEM with {wanted}", path.display())]
    File { path: PathBuf, wanted: &'static str, why: String },
    #[error("the certificate in {} does not go with the key in {}: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: rustls::Error },
}

impl Tls {
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let chain = self.chain()?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|why| self::file(&self.key, "a private key", why))?;
        let pair = |source| TlsError::Pair { cert: self.cert.clone(), key: self.key.clone(), source };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.and_then(|it| it.with_no_client_auth().with_single_cert(chain, key)).map_err(pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        const WANTED: &str = "a certificate, then those that vouch for it";
        let failed = |why| file(&self.cert, WANTED, why);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&self.cert).map_err(failed)?.collect();
        let chain = chain.map_err(failed)?;
        if chain.is_empty() {
            return Err(file(&self.cert, WANTED, rustls::pki_types::pem::Error::NoItemsFound));
        }
        Ok(chain)
    }
}

fn file(path: &Path, wanted: &'static str, why: rustls::pki_types::pem::Error) -> TlsError {
    use rustls::pki_types::pem::Error;
    let why = match why {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "there is none in it".to_owned(),
        other => other.to_string(),
    };
    TlsError::File { path: path.to_owned(), wanted, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let tls = Tls { cert: cert.clone(), key: key.clone() };
        let refusal = || tls.acceptor().err().unwrap().to_string();
        assert!(refusal().contains("cert.pem: No such file"), "{}", refusal());
        std::fs::write(&cert, "no certificate").unwrap();
        assert!(refusal().contains("cert.pem: there is none in it"), "{}", refusal());
        let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, other) = (made(), made());
        std::fs::write(&cert, one.cert.pem()).unwrap();
        assert!(refusal().contains("key.pem: No such file"), "{}", refusal());
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(refusal().contains("does not go with the key"), "{}", refusal());
        std::fs::write(&key, one.signing_key.serialize_pem()).unwrap();
        assert!(tls.acceptor().is_ok());
    }
}
