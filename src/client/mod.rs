//! A client of other registries: reads manifests, referrers and small blobs, all bounded, all hashed here.

mod reference;

use std::path::PathBuf;

use bytes::Bytes;

use crate::oci::{Descriptor, Digest, Reference, RepositoryName};

pub use reference::{ImageReference, ImageReferenceError};

/// How to reach a registry.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether plain HTTP is allowed off loopback.
    pub danger_plain_http: bool,
    /// A PEM file of certificates that are trusted beside the system's.
    pub ca_certificate: Option<PathBuf>,
    /// The folder of docker's configuration; none is `$DOCKER_CONFIG`, or else `~/.docker`.
    pub docker_config: Option<PathBuf>,
}

/// Why a registry could not be asked, or its answer is none: nobody can tell from it what is there.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What was asked, and what came instead.
    #[error("{0}")]
    Answer(String),
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
#[derive(Clone, Debug)]
pub struct Client {
    registry: String,
}

impl Client {
    /// A client of `registry`, which is `host` or `host:port`, with the credentials of docker's configuration. Blocks
    /// where a credential helper is asked.
    pub fn new(registry: &str, options: &Options) -> Result<Self, ClientError> {
        let _read = options.danger_plain_http;
        Ok(Self { registry: registry.to_owned() })
    }

    fn unfinished<T>(&self) -> Result<T, ClientError> {
        Err(ClientError::Answer(format!("{} can't be asked yet", self.registry)))
    }

    /// The manifest of that name; `None` is that there is none.
    pub async fn manifest(&self, _: &RepositoryName, _: &Reference) -> Result<Option<Fetched>, ClientError> {
        self.unfinished()
    }

    /// What refers to `digest`: every page of the referrers API, or else the list under the tag `sha256-<hex>`.
    pub async fn referrers(&self, _: &RepositoryName, _: &Digest) -> Result<Vec<Descriptor>, ClientError> {
        self.unfinished()
    }

    /// The blob of that digest, which must be at most `limit` bytes; `None` is that there is none.
    pub async fn blob(&self, _: &RepositoryName, _: &Digest, _limit: u64) -> Result<Option<Bytes>, ClientError> {
        self.unfinished()
    }

    /// The status and the body of a GET of `path_and_query`, which begins with `/`: one of Hallmark's own endpoints.
    pub async fn ask(&self, path_and_query: &str) -> Result<(u16, Bytes), ClientError> {
        let _asked = path_and_query;
        self.unfinished()
    }
}
