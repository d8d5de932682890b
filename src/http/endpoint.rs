//! Requests → endpoints: one total function over the method and the raw path.
//!
//! `<name>` holds slashes, so a path is read from the right. Nothing is decoded: the grammars of names, tags and
//! digests hold no character that must be escaped, so `%2f` is an invalid name and never a separator.

use axum::http::Method;
use uuid::Uuid;

use crate::gate::Action;
use crate::oci::{Digest, DigestError, NameError, Reference, ReferenceError, RepositoryName};

/// What a request asks for, with everything that its path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /v2/`
    Base,
    /// `GET /v2/_catalog`
    Catalog,
    /// `GET /v2/<name>/tags/list`
    Tags(RepositoryName),
    /// `GET /v2/<name>/manifests/<reference>`
    ReadManifest(RepositoryName, Reference),
    /// `PUT /v2/<name>/manifests/<reference>`
    PutManifest(RepositoryName, Reference),
    /// `DELETE /v2/<name>/manifests/<reference>`
    DeleteManifest(RepositoryName, Reference),
    /// `GET /v2/<name>/blobs/<digest>`
    ReadBlob(RepositoryName, Digest),
    /// `DELETE /v2/<name>/blobs/<digest>`
    DeleteBlob(RepositoryName, Digest),
    /// `POST /v2/<name>/blobs/uploads/`
    BeginUpload(RepositoryName),
    /// `GET /v2/<name>/blobs/uploads/<uuid>`
    UploadStatus(RepositoryName, Uuid),
    /// `PATCH /v2/<name>/blobs/uploads/<uuid>`
    WriteUpload(RepositoryName, Uuid),
    /// `PUT /v2/<name>/blobs/uploads/<uuid>`
    FinishUpload(RepositoryName, Uuid),
    /// `DELETE /v2/<name>/blobs/uploads/<uuid>`
    CancelUpload(RepositoryName, Uuid),
    /// `GET /v2/<name>/referrers/<digest>`
    Referrers(RepositoryName, Digest),
    /// `GET /healthz`
    Health,
    /// `GET /readyz`
    Ready,
    /// `GET /metrics`
    Metrics,
    /// `POST /_hallmark/reload`
    Reload,
    /// `POST /_hallmark/flush`
    Flush,
    /// `GET /_hallmark/explain`
    Explain,
    /// `GET /_hallmark/scrub`
    ScrubStatus,
    /// `POST /_hallmark/scrub`
    Scrub,
    /// `POST /_hallmark/gc`
    Collect,
    /// `GET /_hallmark/audit`
    Audit,
}

/// Why a request names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No endpoint has this path.
    #[error("expected a path of the distribution specification")]
    Path,
    /// The path exists, not for this method.
    #[error("expected one of the methods {allowed}")]
    Method {
        /// The value of `Allow`.
        allowed: &'static str,
    },
    /// `<name>` is not of the grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// `<digest>` is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// `<reference>` is no tag, where something would be stored under it.
    #[error("expected a tag of [a-zA-Z0-9_] then at most 127 of [a-zA-Z0-9._-], or a digest")]
    Tag,
    /// `<reference>` is no tag, so nothing is stored under it.
    #[error("expected a tag or a digest")]
    UnknownReference,
    /// `<uuid>` is not one, so no session has it.
    #[error("expected the identifier of an upload")]
    UnknownUpload,
}

/// An endpoint without what its path names: the label of metrics and of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the variant of `Endpoint` of the same name")]
pub enum Kind {
    Base,
    Catalog,
    Tags,
    ReadManifest,
    PutManifest,
    DeleteManifest,
    ReadBlob,
    DeleteBlob,
    BeginUpload,
    UploadStatus,
    WriteUpload,
    FinishUpload,
    CancelUpload,
    Referrers,
    Health,
    Ready,
    Metrics,
    Reload,
    Flush,
    Explain,
    ScrubStatus,
    Scrub,
    Collect,
    Audit,
    /// The request named no endpoint.
    None,
}

/// Who may use an endpoint: its row in the authorisation of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; it tells nothing about content.
    Open,
    /// Everybody who shows a credential, if any are configured; else everybody.
    Challenge,
    /// Everybody; each entry of the answer is one that the caller may pull.
    PerEntry,
    /// Who may do this in the repository that the path names.
    Repository(Action),
    /// Who may do this in the registry as a whole.
    Registry(Action),
    /// Who may do anything in the repository that the query names, about themselves; who may administer, about anyone.
    Insight,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::Base,
        Self::Catalog,
        Self::Tags,
        Self::ReadManifest,
        Self::PutManifest,
        Self::DeleteManifest,
        Self::ReadBlob,
        Self::DeleteBlob,
        Self::BeginUpload,
        Self::UploadStatus,
        Self::WriteUpload,
        Self::FinishUpload,
        Self::CancelUpload,
        Self::Referrers,
        Self::Health,
        Self::Ready,
        Self::Metrics,
        Self::Reload,
        Self::Flush,
        Self::Explain,
        Self::ScrubStatus,
        Self::Scrub,
        Self::Collect,
        Self::Audit,
        Self::None,
    ];

    /// The word in metrics and in the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags => "tags",
            Self::ReadManifest => "read-manifest",
            Self::PutManifest => "put-manifest",
            Self::DeleteManifest => "delete-manifest",
            Self::ReadBlob => "read-blob",
            Self::DeleteBlob => "delete-blob",
            Self::BeginUpload => "begin-upload",
            Self::UploadStatus => "upload-status",
            Self::WriteUpload => "write-upload",
            Self::FinishUpload => "finish-upload",
            Self::CancelUpload => "cancel-upload",
            Self::Referrers => "referrers",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
            Self::Reload => "reload",
            Self::Flush => "flush",
            Self::Explain => "explain",
            Self::ScrubStatus => "scrub-status",
            Self::Scrub => "scrub",
            Self::Collect => "collect",
            Self::Audit => "audit",
            Self::None => "none",
        }
    }

    /// The authorisation row. Each handler asks the registry for exactly this.
    pub const fn access(self) -> Access {
        match self {
            Self::Health | Self::Ready | Self::Metrics | Self::None => Access::Open,
            Self::Base => Access::Challenge,
            Self::Catalog => Access::PerEntry,
            Self::Tags | Self::ReadManifest | Self::ReadBlob | Self::Referrers => Access::Repository(Action::Pull),
            Self::PutManifest
            | Self::BeginUpload
            | Self::UploadStatus
            | Self::WriteUpload
            | Self::FinishUpload
            | Self::CancelUpload => Access::Repository(Action::Sign),
            Self::DeleteManifest | Self::DeleteBlob => Access::Repository(Action::Delete),
            Self::Reload | Self::Flush | Self::ScrubStatus | Self::Scrub | Self::Collect | Self::Audit => {
                Access::Registry(Action::Admin)
            }
            Self::Explain => Access::Insight,
        }
    }
}

impl Endpoint {
    /// The endpoint that `method` and the raw `path` name. Total: whatever comes, one answer.
    pub fn parse(method: &Method, path: &str) -> Result<Self, EndpointError> {
        match path.strip_prefix("/v2/") {
            Some("") => only_get(method, Self::Base),
            Some("_catalog") => only_get(method, Self::Catalog),
            Some(rest) => Self::parse_repository(method, rest),
            None => Self::parse_outside(method, path),
        }
    }

    fn parse_outside(method: &Method, path: &str) -> Result<Self, EndpointError> {
        match path {
            "/v2" => only_get(method, Self::Base),
            "/healthz" => only_get(method, Self::Health),
            "/readyz" => only_get(method, Self::Ready),
            "/metrics" => only_get(method, Self::Metrics),
            "/_hallmark/reload" => only_post(method, Self::Reload),
            "/_hallmark/flush" => only_post(method, Self::Flush),
            "/_hallmark/explain" => only_get(method, Self::Explain),
            "/_hallmark/scrub" => parse_scrub(method),
            "/_hallmark/gc" => only_post(method, Self::Collect),
            "/_hallmark/audit" => only_get(method, Self::Audit),
            _ => Err(EndpointError::Path),
        }
    }

    /// `rest` is what follows `/v2/`.
    fn parse_repository(method: &Method, rest: &str) -> Result<Self, EndpointError> {
        let (before, last) = rest.rsplit_once('/').ok_or(EndpointError::Path)?;
        let (name, noun) = before.rsplit_once('/').ok_or(EndpointError::Path)?;
        match noun {
            "manifests" => parse_manifest(method, name, last),
            "blobs" => parse_blob(method, name, last),
            "uploads" => parse_upload(method, name.strip_suffix("/blobs").ok_or(EndpointError::Path)?, last),
            "referrers" => {
                let name = name.parse()?;
                only_get(method, Self::Referrers(name, last.parse()?))
            }
            "tags" if last == "list" => only_get(method, Self::Tags(name.parse()?)),
            _ => Err(EndpointError::Path),
        }
    }

    /// The endpoint without what it names.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Base => Kind::Base,
            Self::Catalog => Kind::Catalog,
            Self::Tags(_) => Kind::Tags,
            Self::ReadManifest(..) => Kind::ReadManifest,
            Self::PutManifest(..) => Kind::PutManifest,
            Self::DeleteManifest(..) => Kind::DeleteManifest,
            Self::ReadBlob(..) => Kind::ReadBlob,
            Self::DeleteBlob(..) => Kind::DeleteBlob,
            Self::BeginUpload(_) => Kind::BeginUpload,
            Self::UploadStatus(..) => Kind::UploadStatus,
            Self::WriteUpload(..) => Kind::WriteUpload,
            Self::FinishUpload(..) => Kind::FinishUpload,
            Self::CancelUpload(..) => Kind::CancelUpload,
            Self::Referrers(..) => Kind::Referrers,
            Self::Health => Kind::Health,
            Self::Ready => Kind::Ready,
            Self::Metrics => Kind::Metrics,
            Self::Reload => Kind::Reload,
            Self::Flush => Kind::Flush,
            Self::Explain => Kind::Explain,
            Self::ScrubStatus => Kind::ScrubStatus,
            Self::Scrub => Kind::Scrub,
            Self::Collect => Kind::Collect,
            Self::Audit => Kind::Audit,
        }
    }

    /// The repository that the path names, if any.
    pub const fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Tags(name)
            | Self::ReadManifest(name, _)
            | Self::PutManifest(name, _)
            | Self::DeleteManifest(name, _)
            | Self::ReadBlob(name, _)
            | Self::DeleteBlob(name, _)
            | Self::BeginUpload(name)
            | Self::UploadStatus(name, _)
            | Self::WriteUpload(name, _)
            | Self::FinishUpload(name, _)
            | Self::CancelUpload(name, _)
            | Self::Referrers(name, _) => Some(name),
            Self::Base
            | Self::Catalog
            | Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::Reload
            | Self::Flush
            | Self::Explain
            | Self::ScrubStatus
            | Self::Scrub
            | Self::Collect
            | Self::Audit => None,
        }
    }
}

fn only_get(method: &Method, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        Ok(endpoint)
    } else {
        Err(EndpointError::Method { allowed: "GET, HEAD" })
    }
}

fn only_post(method: &Method, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
    if *method == Method::POST { Ok(endpoint) } else { Err(EndpointError::Method { allowed: "POST" }) }
}

fn parse_scrub(method: &Method) -> Result<Endpoint, EndpointError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Endpoint::ScrubStatus),
        Method::POST => Ok(Endpoint::Scrub),
        _ => Err(EndpointError::Method { allowed: "GET, HEAD, POST" }),
    }
}

fn parse_manifest(method: &Method, name: &str, last: &str) -> Result<Endpoint, EndpointError> {
    let name: RepositoryName = name.parse()?;
    let reference = last.parse::<Reference>();
    match *method {
        Method::GET | Method::HEAD => match reference {
            Ok(reference) => Ok(Endpoint::ReadManifest(name, reference)),
            Err(ReferenceError::Digest(error)) => Err(error.into()),
            Err(ReferenceError::Tag(_)) => Err(EndpointError::UnknownReference),
        },
        Method::PUT | Method::DELETE => {
            let reference = reference.map_err(|error| match error {
                ReferenceError::Digest(error) => EndpointError::Digest(error),
                ReferenceError::Tag(_) => EndpointError::Tag,
            })?;
            let put = *method == Method::PUT;
            Ok(if put { Endpoint::PutManifest(name, reference) } else { Endpoint::DeleteManifest(name, reference) })
        }
        _ => Err(EndpointError::Method { allowed: "GET, HEAD, PUT, DELETE" }),
    }
}

fn parse_blob(method: &Method, name: &str, last: &str) -> Result<Endpoint, EndpointError> {
    let name = name.parse()?;
    match *method {
        Method::GET | Method::HEAD => Ok(Endpoint::ReadBlob(name, last.parse()?)),
        Method::DELETE => Ok(Endpoint::DeleteBlob(name, last.parse()?)),
        _ => Err(EndpointError::Method { allowed: "GET, HEAD, DELETE" }),
    }
}

fn parse_upload(method: &Method, name: &str, last: &str) -> Result<Endpoint, EndpointError> {
    let name = name.parse()?;
    if last.is_empty() {
        return only_post(method, Endpoint::BeginUpload(name));
    }
    // As it was handed out: other spellings of an identifier are none.
    let written = |id: &Uuid| *id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *last;
    let id = || Uuid::try_parse(last).ok().filter(written).ok_or(EndpointError::UnknownUpload);
    match *method {
        Method::GET | Method::HEAD => Ok(Endpoint::UploadStatus(name, id()?)),
        Method::PATCH => Ok(Endpoint::WriteUpload(name, id()?)),
        Method::PUT => Ok(Endpoint::FinishUpload(name, id()?)),
        Method::DELETE => Ok(Endpoint::CancelUpload(name, id()?)),
        _ => Err(EndpointError::Method { allowed: "GET, HEAD, PATCH, PUT, DELETE" }),
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
