//! The table of requests and the endpoints that they name.

use axum::http::Method;

use super::{Access, Endpoint, EndpointError, Kind};
use crate::gate::Action;
use crate::oci::{Digest, DigestError, NameError};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn parse(request: &str) -> Result<Endpoint, EndpointError> {
    let request = request.replace("<digest>", DIGEST).replace("<uuid>", UUID);
    let (method, path) = request.split_once(' ').unwrap();
    Endpoint::parse(&Method::from_bytes(method.as_bytes()).unwrap(), path)
}

/// Every kind with a request that names it, its repository, and its authorisation row.
const TABLE: &[(&str, Kind, &str, Access)] = &[
    ("GET /v2/", Kind::Base, "", Access::Challenge),
    ("HEAD /v2", Kind::Base, "", Access::Challenge),
    ("GET /v2/_catalog", Kind::Catalog, "", Access::PerEntry),
    ("GET /v2/a/b/tags/list", Kind::Tags, "a/b", Access::Repository(Action::Pull)),
    ("GET /v2/a/manifests/v1", Kind::ReadManifest, "a", Access::Repository(Action::Pull)),
    ("HEAD /v2/a/manifests/<digest>", Kind::ReadManifest, "a", Access::Repository(Action::Pull)),
    ("PUT /v2/a/b/c/manifests/v1", Kind::PutManifest, "a/b/c", Access::Repository(Action::Sign)),
    ("DELETE /v2/a/manifests/v1", Kind::DeleteManifest, "a", Access::Repository(Action::Delete)),
    ("GET /v2/a/blobs/<digest>", Kind::ReadBlob, "a", Access::Repository(Action::Pull)),
    ("HEAD /v2/a/blobs/<digest>", Kind::ReadBlob, "a", Access::Repository(Action::Pull)),
    ("DELETE /v2/a/blobs/<digest>", Kind::DeleteBlob, "a", Access::Repository(Action::Delete)),
    ("POST /v2/a/blobs/uploads/", Kind::BeginUpload, "a", Access::Repository(Action::Sign)),
    ("GET /v2/a/blobs/uploads/<uuid>", Kind::UploadStatus, "a", Access::Repository(Action::Sign)),
    ("PATCH /v2/a/blobs/uploads/<uuid>", Kind::WriteUpload, "a", Access::Repository(Action::Sign)),
    ("PUT /v2/a/blobs/uploads/<uuid>", Kind::FinishUpload, "a", Access::Repository(Action::Sign)),
    ("DELETE /v2/a/blobs/uploads/<uuid>", Kind::CancelUpload, "a", Access::Repository(Action::Sign)),
    ("GET /v2/a/referrers/<digest>", Kind::Referrers, "a", Access::Repository(Action::Pull)),
    ("GET /healthz", Kind::Health, "", Access::Open),
    ("GET /readyz", Kind::Ready, "", Access::Open),
    ("GET /metrics", Kind::Metrics, "", Access::Open),
    ("POST /_hallmark/reload", Kind::Reload, "", Access::Registry(Action::Admin)),
    ("POST /_hallmark/flush", Kind::Flush, "", Access::Registry(Action::Admin)),
    ("GET /_hallmark/explain", Kind::Explain, "", Access::Insight),
    ("GET /_hallmark/scrub", Kind::ScrubStatus, "", Access::Registry(Action::Admin)),
    ("POST /_hallmark/scrub", Kind::Scrub, "", Access::Registry(Action::Admin)),
    ("POST /_hallmark/gc", Kind::Collect, "", Access::Registry(Action::Admin)),
    ("GET /_hallmark/audit", Kind::Audit, "", Access::Registry(Action::Admin)),
    // Names that hold the words of the grammar.
    ("GET /v2/manifests/manifests/manifests", Kind::ReadManifest, "manifests", Access::Repository(Action::Pull)),
    ("GET /v2/tags/list/tags/list", Kind::Tags, "tags/list", Access::Repository(Action::Pull)),
    ("GET /v2/a/manifests/tags/list", Kind::Tags, "a/manifests", Access::Repository(Action::Pull)),
    ("POST /v2/a/blobs/uploads/blobs/uploads/", Kind::BeginUpload, "a/blobs/uploads", Access::Repository(Action::Sign)),
    ("GET /v2/blobs/uploads/manifests/v1", Kind::ReadManifest, "blobs/uploads", Access::Repository(Action::Pull)),
];

#[test]
fn each_request_names_its_endpoint() {
    for (request, kind, repository, access) in TABLE {
        let endpoint = parse(request).unwrap_or_else(|error| panic!("{request}: {error}"));
        assert_eq!(endpoint.kind(), *kind, "{request}");
        assert_eq!(endpoint.repository().map_or("", |name| name.as_str()), *repository, "{request}");
        assert_eq!(endpoint.kind().access(), *access, "{request}");
    }
}

#[test]
fn no_endpoint_is_without_an_authorisation_row() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::None) {
        assert!(TABLE.iter().any(|(_, listed, ..)| *listed == kind), "{}", kind.as_str());
    }
}

#[test]
#[expect(clippy::as_conversions, reason = "the place of a variant")]
fn every_kind_stands_at_its_own_place() {
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place, "{}", kind.as_str());
    }
}

#[test]
fn what_is_no_name_is_refused_as_one() {
    let long = "a".repeat(256);
    for name in ["A", "a%2fb", "a//b", "_a", ".", "..", "a/../b", "a/.", "", "%61", "a b"] {
        let request = format!("/v2/{name}/manifests/v1");
        let error = Endpoint::parse(&Method::GET, &request).unwrap_err();
        assert_eq!(error, EndpointError::Name(NameError::Grammar), "{request}");
    }
    assert_eq!(parse(&format!("PUT /v2/{long}/manifests/v1")), Err(EndpointError::Name(NameError::TooLong(256))));
}

#[test]
fn what_is_no_digest_is_refused_as_one() {
    assert_eq!(parse("GET /v2/a/blobs/md5:00"), Err(EndpointError::Digest(DigestError::Algorithm)));
    assert_eq!(parse("GET /v2/a/blobs/sha256:00"), Err(EndpointError::Digest(DigestError::Encoding)));
    assert_eq!(parse("GET /v2/a/manifests/sha256:00"), Err(EndpointError::Digest(DigestError::Encoding)));
    assert_eq!(parse("GET /v2/a/referrers/sha256"), Err(EndpointError::Digest(DigestError::Algorithm)));
    assert!(DIGEST.parse::<Digest>().is_ok());
}

#[test]
fn what_is_no_tag_is_unknown_to_readers_and_invalid_to_writers() {
    assert_eq!(parse("GET /v2/a/manifests/.x"), Err(EndpointError::UnknownReference));
    assert_eq!(parse("PUT /v2/a/manifests/.x"), Err(EndpointError::Tag));
    assert_eq!(parse(&format!("PUT /v2/a/manifests/{}", "t".repeat(129))), Err(EndpointError::Tag));
}

#[test]
fn other_methods_are_told_the_methods_that_are() {
    for (request, allowed) in [
        ("POST /v2/", "GET, HEAD"),
        ("PATCH /v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("PUT /v2/a/blobs/<digest>", "GET, HEAD, DELETE"),
        ("GET /v2/a/blobs/uploads/", "POST"),
        ("POST /v2/a/blobs/uploads/<uuid>", "GET, HEAD, PATCH, PUT, DELETE"),
        ("DELETE /v2/a/tags/list", "GET, HEAD"),
        ("GET /_hallmark/reload", "POST"),
        ("POST /_hallmark/explain", "GET, HEAD"),
        ("GET /_hallmark/gc", "POST"),
        ("POST /_hallmark/audit", "GET, HEAD"),
        ("DELETE /_hallmark/scrub", "GET, HEAD, POST"),
        ("BREW /healthz", "GET, HEAD"),
    ] {
        assert_eq!(parse(request), Err(EndpointError::Method { allowed }), "{request}");
    }
}

#[test]
fn other_paths_name_nothing() {
    for path in [
        "/",
        "/v1/",
        "/v2/a",
        "/v2/a/b",
        "/v2/a/b/c",
        "/v2/uploads/x",
        "/v2//",
        "/v2/a/tags/lists",
        "/metrics/",
        "*",
        "",
    ] {
        assert_eq!(parse(&format!("GET {path}")), Err(EndpointError::Path), "{path}");
    }
}

#[test]
fn an_upload_is_named_as_it_was_handed_out_and_no_other_way() {
    let [plain, upper] = [UUID.replace('-', ""), UUID.to_uppercase()];
    for id in ["not-a-uuid", &plain, &upper, &format!("urn:uuid:{UUID}"), &format!("{{{UUID}}}")] {
        assert_eq!(parse(&format!("PUT /v2/a/blobs/uploads/{id}")), Err(EndpointError::UnknownUpload), "{id}");
    }
}
