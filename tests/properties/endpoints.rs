//! Requests → endpoints.

use axum::http::Method;
use hallmark::http::{Endpoint, EndpointError, Kind, Refusal};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Each path and method name one endpoint or one refusal, and an endpoint is named by its one path alone: two spellings
/// of one thing would be two answers to "may they?".
pub fn hold(bytes: &[u8]) -> bool {
    let Some(path) = super::text(bytes) else { return false };
    let mut taken = false;
    for method in METHODS {
        match Endpoint::parse(&method, path) {
            Ok(endpoint) => {
                assert_ne!(endpoint.kind(), Kind::None);
                assert_eq!(spelled(&endpoint), if path == "/v2" { "/v2/" } else { path });
                assert!(endpoint.repository().is_none_or(|name| path.starts_with(&format!("/v2/{name}/"))));
                taken = true;
            }
            Err(error) => {
                if let EndpointError::Method { allowed } = &error {
                    assert!(!allowed.split(", ").any(|allowed| allowed == method.as_str()), "{method} {path}");
                }
                super::is_brief(&error, b"");
                assert!(!Refusal::from(error).log_text().is_empty());
            }
        }
    }
    taken
}

fn spelled(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Base => "/v2/".to_owned(),
        Endpoint::Catalog => "/v2/_catalog".to_owned(),
        Endpoint::Tags(name) => format!("/v2/{name}/tags/list"),
        Endpoint::ReadManifest(name, reference)
        | Endpoint::PutManifest(name, reference)
        | Endpoint::DeleteManifest(name, reference) => format!("/v2/{name}/manifests/{reference}"),
        Endpoint::ReadBlob(name, digest) | Endpoint::DeleteBlob(name, digest) => format!("/v2/{name}/blobs/{digest}"),
        Endpoint::BeginUpload(name) => format!("/v2/{name}/blobs/uploads/"),
        Endpoint::UploadStatus(name, id)
        | Endpoint::WriteUpload(name, id)
        | Endpoint::FinishUpload(name, id)
        | Endpoint::CancelUpload(name, id) => format!("/v2/{name}/blobs/uploads/{id}"),
        Endpoint::Referrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
        Endpoint::Health => "/healthz".to_owned(),
        Endpoint::Ready => "/readyz".to_owned(),
        Endpoint::Metrics => "/metrics".to_owned(),
        Endpoint::Reload => "/_hallmark/reload".to_owned(),
        Endpoint::Flush => "/_hallmark/flush".to_owned(),
        Endpoint::ScrubStatus | Endpoint::Scrub => "/_hallmark/scrub".to_owned(),
        Endpoint::Collect => "/_hallmark/gc".to_owned(),
        Endpoint::Audit => "/_hallmark/audit".to_owned(),
        Endpoint::Explain => "/_hallmark/explain".to_owned(),
    }
}
