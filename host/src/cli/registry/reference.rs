//! `oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`: what a plugin is called in a registry.

use std::fmt;
use std::net::IpAddr;

use crate::cli::error::Error;

const SCHEME: &str = "oci://";

/// What a plugin is called in a registry.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Reference {
    pub(super) inner: oci_client::Reference,
}

impl Reference {
    /// Whether a text is meant as one.
    pub(in crate::cli) fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    pub(in crate::cli) fn parse(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            Error::Usage(format!("{text:?}: {why}; it must be oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]"))
        };
        let name = text.strip_prefix(SCHEME).ok_or_else(|| refused("it does not begin with oci://"))?;
        if !name.is_ascii() {
            return Err(refused("it has letters that no reference has"));
        }
        // Without a dot, a port or this name the library would take the host for a folder of Docker's own registry.
        let host = name.split('/').next().unwrap_or_default();
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(refused("it names no host"));
        }
        if !name.contains('/') {
            return Err(refused("it names no repository"));
        }
        if host.starts_with('[') {
            return Err(refused(
                "an IPv6 address is no host that a reference can have; give a name that stands for it",
            ));
        }
        if let Some((_, port)) = host.rsplit_once(':')
            && !port.parse::<u16>().is_ok_and(|port| port > 0)
        {
            return Err(refused("its port is none from 1 to 65535"));
        }
        let inner: oci_client::Reference =
            name.parse().map_err(|error: oci_client::ParseError| refused(&error.to_string()))?;
        let is_sha256 = |digest: &str| digest.starts_with("sha256:") && *digest == digest.to_ascii_lowercase();
        if inner.digest().is_some_and(|digest| !is_sha256(digest)) {
            return Err(refused("a digest must be sha256, in lower case"));
        }
        Ok(Self { inner })
    }

    /// The registry as requests name it.
    pub(super) fn host(&self) -> &str {
        self.inner.resolve_registry()
    }

    /// Plain HTTP is for registries on this machine, where nobody listens in; no other is talked to without TLS.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.host().rsplit_once(':').map_or(self.host(), |(host, _)| host))
    }

    pub(super) fn base(&self) -> String {
        let scheme = if self.is_loopback() { "http" } else { "https" };
        format!("{scheme}://{}/v2/{}", self.host(), self.inner.repository())
    }

    /// The reference without a digest: what the digest was found under.
    pub(super) fn without_digest(&self) -> String {
        let tag = self.inner.tag().map_or_else(String::new, |tag| format!(":{tag}"));
        format!("{SCHEME}{}/{}{tag}", self.inner.registry(), self.inner.repository())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.inner)
    }
}

/// Whether a host is this machine, by its name alone.
pub(super) fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let check = |text: &str, base: &str, without_digest: &str| {
            let reference = Reference::parse(text).unwrap();
            assert_eq!((reference.base().as_str(), reference.without_digest().as_str()), (base, without_digest));
        };
        check("oci://localhost:5000/on-time:1", "http://localhost:5000/v2/on-time", "oci://localhost:5000/on-time:1");
        check("oci://127.0.0.1:5000/a/b", "http://127.0.0.1:5000/v2/a/b", "oci://127.0.0.1:5000/a/b:latest");
        check("oci://ghcr.io/a/b:1.0", "https://ghcr.io/v2/a/b", "oci://ghcr.io/a/b:1.0");
        check(&format!("oci://ghcr.io/a/b@{digest}"), "https://ghcr.io/v2/a/b", "oci://ghcr.io/a/b");
        check(&format!("oci://ghcr.io/a/b:1@{digest}"), "https://ghcr.io/v2/a/b", "oci://ghcr.io/a/b:1");
        // A name that only begins like this machine's is another's.
        check("oci://localhost.example/a", "https://localhost.example/v2/a", "oci://localhost.example/a:latest");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for (text, why) in [
            ("on-time.wasm", "does not begin with oci://"),
            ("oci://on-time", "names no host"),
            ("oci://acme/on-time:1", "names no host"),
            ("oci://ghcr.io", "names no repository"),
            ("oci://[::1]:5000/a", "an IPv6 address is no host"),
            ("oci://localhost:99999/a", "its port is none from 1 to 65535"),
            ("oci://localhost:0/a", "its port is none from 1 to 65535"),
            ("oci://localhost:/a", "its port is none from 1 to 65535"),
            ("oci://ghcr.io/A/b", "invalid reference"),
            ("oci://ghcr.io/a@sha256:abc", "invalid reference"),
            ("oci://user@ghcr.io/a", "invalid reference"),
            ("oci://ghcr.io/a:\u{e9}", "letters that no reference has"),
        ] {
            let error = Reference::parse(text).map(|it| it.to_string()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        for digest in [format!("sha512:{}", "a".repeat(128)), format!("sha256:{}", "A".repeat(64))] {
            let error = Reference::parse(&format!("oci://ghcr.io/a@{digest}")).unwrap_err().to_string();
            assert!(error.contains("must be sha256, in lower case"), "{error}");
        }
    }
}
