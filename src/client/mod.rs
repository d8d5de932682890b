//! A client of other registries: reads manifests, referrers and small blobs, all bounded, all hashed here.
//!
//! Credentials are docker's. They go to the registry, and to the token endpoint that it names, and nowhere else: not
//! where an answer leads to. Plain HTTP is for loopback, unless someone allows it everywhere.

mod challenge;
mod credentials;
mod error;
mod exchange;
mod origin;
mod reference;
mod referrers;
mod session;
mod token;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderName};

use crate::oci::{Digest, Reference, RepositoryName, media_type};
use credentials::Credentials;
use exchange::{Answer, Exchange, Wanted};
use origin::Plain;
use session::Session;

pub use error::ClientError;
pub use reference::{ImageReference, ImageReferenceError};

/// The largest answer of Hallmark's own endpoints, in bytes.
const MAX_ASKED_BYTES: u64 = 16 << 20;
/// The largest file of certificates, in bytes.
const MAX_CERTIFICATE_BYTES: u64 = 4 << 20;
const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// How to reach a registry.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether plain HTTP is allowed off loopback.
    pub danger_plain_http: bool,
    /// A PEM file of certificates that are trusted beside the system's (which `SSL_CERT_FILE` and `SSL_CERT_DIR` move).
    pub ca_certificate: Option<PathBuf>,
    /// The folder of docker's configuration; none is `$DOCKER_CONFIG`, or else `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// The largest manifest and the largest page of a list, in bytes.
    pub manifest_bytes: u64,
    /// Where the registry is, if not where its name says.
    pub at: Option<At>,
}

/// A server of this machine that is known by its address.
#[derive(Clone, Debug)]
pub struct At {
    /// The address.
    pub address: SocketAddr,
    /// Whether it speaks TLS, with a certificate for the name of the registry.
    pub tls: bool,
    /// The random name of what it serves, sent along as [`SERVED`]: a server of anything else refuses.
    pub served: String,
}

/// The header field that says what a request is about: a server refuses what is about another root, and does nothing.
pub const SERVED: &str = "hallmark-root";

impl Default for Options {
    fn default() -> Self {
        Self { danger_plain_http: false, ca_certificate: None, docker_config: None, manifest_bytes: 4 << 20, at: None }
    }
}

/// A manifest as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Bytes,
    /// The `Content-Type`.
    pub media_type: String,
    /// What the bytes hash to.
    pub digest: Digest,
}

/// A client of one registry.
#[derive(Debug)]
pub struct Client {
    registry: String,
    manifest_bytes: u64,
    session: Session,
}

impl Client {
    /// A client of `registry`, which is `host` or `host:port`, with the credentials of docker's configuration. Nothing is
    /// asked yet, but of a credential helper, which blocks as long as it takes. A process-wide TLS provider must be there.
    pub fn new(registry: &str, options: &Options) -> Result<Self, ClientError> {
        let plain = Plain { everywhere: options.danger_plain_http };
        let certificates = options.ca_certificate.as_deref().map(read_certificates).transpose()?;
        let bases = match &options.at {
            Some(at) => vec![plain.base_at(registry, at)?],
            None => plain.bases(registry)?,
        };
        let proxied = options.at.is_none() && !bases.iter().all(origin::is_loopback);
        let exchange = Exchange::new(plain, certificates.as_deref(), proxied, options.at.as_ref(), &bases)?;
        let folder = options.docker_config.clone().or_else(credentials::folder);
        let credentials =
            names(registry, options.at.as_ref()).iter().try_fold(Credentials::Anonymous, |known, name| {
                if matches!(known, Credentials::Anonymous) {
                    Credentials::find(folder.as_deref(), name)
                } else {
                    Ok(known)
                }
            })?;
        Ok(Self {
            registry: registry.to_owned(),
            manifest_bytes: options.manifest_bytes,
            session: Session::new(registry, bases, exchange, credentials),
        })
    }

    /// The manifest of that name; `None` is that there is none. Asked for by digest, the bytes hash to it.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Fetched>, ClientError> {
        let accept =
            [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_LIST];
        let url = self.session.url(&format!("/v2/{repository}/manifests/{reference}")).await?;
        let wanted = Wanted { accept: Some(&accept.join(", ")), limit: self.manifest_bytes };
        let Some(answer) = found(self.ask_in(repository, &url, wanted).await?)? else { return Ok(None) };
        let said = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => answer.header(&DOCKER_CONTENT_DIGEST).and_then(|text| text.parse().ok()),
        };
        let digest = said.unwrap_or_else(|| Digest::sha256(&answer.body));
        check_digest(&url, &digest, &answer.body)?;
        let media_type = answer.header(&CONTENT_TYPE).unwrap_or_default().to_owned();
        Ok(Some(Fetched { bytes: answer.body, media_type, digest }))
    }

    /// The blob of that digest, which must be at most `limit` bytes; `None` is that there is none.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Bytes>, ClientError> {
        let url = self.session.url(&format!("/v2/{repository}/blobs/{digest}")).await?;
        let wanted = Wanted { accept: None, limit };
        let Some(answer) = found(self.ask_in(repository, &url, wanted).await?)? else { return Ok(None) };
        check_digest(&url, digest, &answer.body)?;
        Ok(Some(answer.body))
    }

    /// Who it is to the registry: the name in docker's configuration; none is nobody, or who a token stands for.
    pub fn user(&self) -> Option<&str> {
        self.session.user()
    }

    /// The status and the body of a GET of `path_and_query`, which begins with `/`: one of Hallmark's own endpoints.
    pub async fn ask(&self, path_and_query: &str) -> Result<(u16, Bytes), ClientError> {
        let url = self.session.url(path_and_query).await?;
        let answer = self.session.ask(&url, Wanted { accept: None, limit: MAX_ASKED_BYTES }, "").await?;
        Ok((answer.status, answer.body))
    }

    /// The status and the body of a POST to `path_and_query`, which begins with `/`: one of Hallmark's own endpoints.
    pub async fn tell(&self, path_and_query: &str) -> Result<(u16, Bytes), ClientError> {
        let url = self.session.url(path_and_query).await?;
        let answer = self.session.tell(&url, MAX_ASKED_BYTES).await?;
        Ok((answer.status, answer.body))
    }

    async fn ask_in(&self, repository: &RepositoryName, url: &Url, wanted: Wanted<'_>) -> Result<Answer, ClientError> {
        self.session.ask(url, wanted, &format!("repository:{repository}:pull")).await
    }
}

/// Under which names docker may know the registry, the best first.
fn names(registry: &str, at: Option<&At>) -> Vec<String> {
    let mut names = vec![registry.to_owned()];
    if let Some(At { address, .. }) = at {
        names.push(address.to_string());
        if address.ip().is_loopback() {
            names.push(format!("localhost:{}", address.port()));
        }
    }
    names
}

/// An answer that there is none is one; every other but the content tells nothing.
fn found(answer: Answer) -> Result<Option<Answer>, ClientError> {
    match answer.status {
        200 => Ok(Some(answer)),
        404 => Ok(None),
        _ => Err(answer.refused()),
    }
}

fn check_digest(url: &Url, expected: &Digest, bytes: &[u8]) -> Result<(), ClientError> {
    let found = Digest::of(expected.algorithm(), bytes);
    if found == *expected {
        return Ok(());
    }
    Err(ClientError::Digest { url: url.to_string(), expected: *expected, found })
}

fn read_certificates(path: &Path) -> Result<Vec<u8>, ClientError> {
    let wrong = |error: std::io::Error| {
        ClientError::Setup(format!("expected certificates in {} that can be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(wrong)?.take(MAX_CERTIFICATE_BYTES).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}
