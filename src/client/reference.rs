//! References as people write them: `registry.example.org/prod/app:v1`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::origin::is_docker_hub;
use crate::oci::{NameError, Reference, ReferenceError, RepositoryName};

/// `<host>[:<port>]/<repository>[:<tag>][@<digest>]`: a manifest and where it is.
///
/// A host is required: a name alone would mean another registry to each program. Where tag and digest are both written
/// the digest counts; where neither is, the tag `latest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// `host` or `host:port`, in lower case.
    pub registry: String,
    /// The repository.
    pub repository: RepositoryName,
    /// What of it.
    pub reference: Reference,
}

/// Why a text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageReferenceError {
    /// Nothing before the first `/` that could only be a host.
    #[error("expected a registry first, as in registry.example.org/prod/app:v1, found none")]
    NoRegistry,
    /// Something that can't be one.
    #[error("expected <host> or <host>:<port> before the first `/`, found something else")]
    Registry,
    /// Not a repository.
    #[error(transparent)]
    Repository(#[from] NameError),
    /// Neither tag nor digest.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        let (registry, rest) = text.split_once('/').ok_or(ImageReferenceError::NoRegistry)?;
        let registry = parse_registry(registry)?;
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match named.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (named, None),
        };
        let tag = tag.unwrap_or("latest").parse().map(Reference::Tag).map_err(ReferenceError::from)?;
        let reference = match digest {
            Some(digest) => Reference::Digest(digest.parse().map_err(ReferenceError::from)?),
            None => tag,
        };
        // Docker's own registry keeps what has no owner there.
        let library = is_docker_hub(&registry) && !repository.contains('/');
        let repository = if library { format!("library/{repository}").parse()? } else { repository.parse()? };
        Ok(Self { registry, repository, reference })
    }
}

/// A host as clients tell one from a component of a repository: by a dot, a port, or the name `localhost`.
fn parse_registry(text: &str) -> Result<String, ImageReferenceError> {
    if !text.contains(['.', ':']) && text != "localhost" {
        return Err(ImageReferenceError::NoRegistry);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_one = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let plain = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let host_is_one = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.len() <= 253 && host.split('.').all(plain),
    };
    if port_is_one && host_is_one { Ok(text.to_ascii_lowercase()) } else { Err(ImageReferenceError::Registry) }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.reference {
            Reference::Tag(_) => ':',
            Reference::Digest(_) => '@',
        };
        write!(f, "{}/{}{separator}{}", self.registry, self.repository, self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn parts(text: &str) -> (String, String, String) {
        let reference: ImageReference = text.parse().unwrap();
        (reference.registry.clone(), reference.repository.to_string(), reference.reference.to_string())
    }

    #[test]
    fn a_reference_is_host_repository_and_tag() {
        assert_eq!(parts("reg.example.org/prod/app:v1"), ("reg.example.org".into(), "prod/app".into(), "v1".into()));
        assert_eq!(parts("localhost:5000/app:v1"), ("localhost:5000".into(), "app".into(), "v1".into()));
        assert_eq!(parts("[::1]:5000/app:v1"), ("[::1]:5000".into(), "app".into(), "v1".into()));
    }

    #[test]
    fn docker_hub_keeps_what_has_no_owner_in_a_library() {
        assert_eq!(parts("docker.io/alpine").1, "library/alpine");
        assert_eq!(parts("docker.io/acme/app").1, "acme/app");
        assert_eq!(parts("quay.io/app").1, "app");
    }

    #[test]
    fn without_a_tag_it_is_latest() {
        assert_eq!(parts("localhost/app").2, "latest");
    }

    #[test]
    fn beside_a_digest_the_tag_counts_for_nothing() {
        let digest = Digest::sha256(b"x").to_string();
        assert_eq!(parts(&format!("localhost/app:v1@{digest}")).2, digest);
        assert_eq!(parts(&format!("localhost/app@{digest}")).2, digest);
    }

    #[test]
    fn the_host_is_in_lower_case() {
        assert_eq!(parts("Reg.Example.Org/app").0, "reg.example.org");
    }

    #[test]
    fn a_name_without_a_host_is_refused() {
        for text in ["app", "app:v1", "prod/app:v1", ""] {
            assert_eq!(text.parse::<ImageReference>(), Err(ImageReferenceError::NoRegistry), "{text}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for text in ["https://a.b/app", "a..b/app", "a.b:0/app", "a.b:99999/app", "user@a.b/app", "[::g]/app", ":1/app"]
        {
            assert_eq!(text.parse::<ImageReference>(), Err(ImageReferenceError::Registry), "{text}");
        }
    }

    #[test]
    fn other_repositories_tags_and_digests_are_refused() {
        for text in ["a.b/", "a.b/App", "a.b/app:", "a.b/app:-x", "a.b/app@sha256:12", "a.b/app:v1:v2", "a.b/app@v1"] {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let digest = Digest::sha256(b"x");
        for text in ["localhost:5000/prod/app:v1".to_owned(), format!("reg.example.org/app@{digest}")] {
            assert_eq!(text.parse::<ImageReference>().unwrap().to_string(), text);
        }
    }
}
