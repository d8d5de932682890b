//! Where a registry is, and how it may be reached: TLS, or plain HTTP on this machine.

use std::net::IpAddr;

use reqwest::Url;

use super::{At, ClientError};

/// Docker's own registry has a name, and is reached under another.
pub(super) fn is_docker_hub(registry: &str) -> bool {
    ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&registry)
}

/// Where plain HTTP is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    /// Everywhere, and not on loopback alone.
    pub(super) everywhere: bool,
}

impl Plain {
    /// The places to try for `registry`, the best first.
    pub(super) fn bases(self, registry: &str) -> Result<Vec<Url>, ClientError> {
        let host = if is_docker_hub(registry) { "registry-1.docker.io" } else { registry };
        let parse = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/"))
                .map_err(|error| ClientError::Setup(format!("expected a registry, found {registry:?}: {error}")))
        };
        let mut bases = vec![parse("https")?];
        let plain = parse("http")?;
        if self.allows(&plain) {
            bases.push(plain);
        }
        Ok(bases)
    }

    /// The place of `registry` that is at an address: its name stands in the certificate, and plain HTTP has none.
    pub(super) fn base_at(self, registry: &str, at: &At) -> Result<Url, ClientError> {
        let wrong = |why: &str| ClientError::Setup(format!("expected a registry, found {registry:?}: {why}"));
        if at.tls {
            let mut base = Url::parse(&format!("https://{registry}/")).map_err(|error| wrong(&error.to_string()))?;
            base.set_port(Some(at.address.port())).map_err(|()| wrong("it has no host"))?;
            return Ok(base);
        }
        let base = Url::parse(&format!("http://{}/", at.address)).map_err(|error| wrong(&error.to_string()))?;
        if self.allows(&base) {
            return Ok(base);
        }
        Err(ClientError::Setup(format!("expected TLS off loopback, found plain HTTP at {}", at.address)))
    }

    /// Whether `url` may be asked at all.
    pub(super) fn allows(self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && (self.everywhere || is_loopback(url)))
    }

    /// Whether what was asked of `from` may be asked of `to`: never in plain text after TLS.
    pub(super) fn leads(self, from: &Url, to: &Url) -> bool {
        let named = to.username().is_empty() && to.password().is_none() && to.host_str().is_some();
        named && self.allows(to) && (from.scheme() != "https" || to.scheme() == "https")
    }
}

/// Whether `url` names this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Whether both are of one scheme, host and port: credentials go nowhere else.
pub(super) fn is_same(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(everywhere: bool, registry: &str) -> Vec<String> {
        Plain { everywhere }.bases(registry).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for registry in ["localhost:5000", "127.0.0.1", "127.9.9.9:80", "[::1]:5000"] {
            assert_eq!(bases(false, registry).len(), 2, "{registry}");
        }
        for registry in ["localhost.example.org", "127.0.0.1.nip.io", "10.0.0.1", "[::2]:5000", "example.org:80"] {
            assert_eq!(bases(false, registry).len(), 1, "{registry}");
        }
        assert_eq!(bases(true, "example.org"), ["https://example.org/", "http://example.org/"]);
    }

    #[test]
    fn docker_hub_is_reached_where_it_is() {
        assert_eq!(bases(false, "docker.io"), ["https://registry-1.docker.io/"]);
    }

    #[test]
    fn nothing_leads_from_tls_to_plain_text() {
        let url = |text: &str| Url::parse(text).unwrap();
        let plain = Plain { everywhere: true };
        assert!(!plain.leads(&url("https://a.b/"), &url("http://a.b/")));
        assert!(plain.leads(&url("http://a.b/"), &url("http://c.d/")));
        assert!(!Plain { everywhere: false }.leads(&url("http://localhost/"), &url("http://c.d/")));
        assert!(Plain { everywhere: false }.leads(&url("http://localhost/"), &url("https://c.d/")));
        assert!(!plain.leads(&url("https://a.b/"), &url("https://me:secret@c.d/")));
        assert!(!plain.leads(&url("https://a.b/"), &url("file:///etc/passwd")));
    }
}
