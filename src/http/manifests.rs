//! `/v2/<name>/manifests/<reference>`

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::answer::{self, OCI_SUBJECT, OCI_TAG, Tagged};
use super::error::{Reason, Refusal};
use super::incoming::Incoming;
use super::{Call, query};
use crate::oci::{ErrorCode, Reference, RepositoryName, Tag};
use crate::registry::{Error, ManifestPut};

/// The most tags that one push sets.
const TAGS_MAX: usize = 100;

/// `GET` and `HEAD`: what `reference` resolves to for the caller.
pub(super) async fn read(call: &Call<'_>, name: &RepositoryName, reference: &Reference) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let manifest = match call.registry().manifest(&allowed, reference).await {
        // As for blobs: who is told that it is absent sends it again, which heals it.
        Err(Error::Quarantined(_)) if call.is_head() && call.registry().allow_sign(call.who, name).is_ok() => {
            return Err(Error::ManifestUnknown(reference.clone()).into());
        }
        manifest => manifest?,
    };
    if call.is_head() && call.registry().awaits_push(&allowed, &manifest.digest).await? {
        return Err(Error::ManifestUnknown(reference.clone()).into());
    }
    answer::expect_match(call.headers(), &manifest.digest)?;
    let tagged = Tagged::new(&manifest.digest).ok_or_else(|| Refusal::unavailable("a digest is no header value"))?;
    let mut response = if tagged.is_had(call.headers()) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::content(call.is_head(), answer::media_type(&manifest.media_type), manifest.bytes.clone())
    };
    let headers = response.headers_mut();
    tagged.insert(headers);
    if let Some(lenience) = manifest.lenience() {
        answer::be_lenient(&mut response, lenience);
    }
    Ok(response)
}

/// `PUT`: stores the body, and sets tags on it.
pub(super) async fn put(
    call: &Call<'_>,
    body: &mut Incoming,
    name: &RepositoryName,
    reference: Reference,
) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    let tags = tags(call.query(), &reference)?;
    let content_type = call.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?")).to_owned();
    let precondition = answer::precondition(call.headers())?;
    let bytes = body.whole(call.http.limits.manifest_bytes).await?;
    let put = ManifestPut { reference, tags, precondition, content_type, bytes };
    let stored = call.registry().put_manifest(&allowed, put).await?;
    let mut response = answer::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    answer::locate(headers, format_args!("/v2/{name}/manifests/{}", stored.digest));
    answer::insert(headers, answer::CONTENT_DIGEST, stored.digest);
    if let Some(subject) = stored.subject {
        answer::insert(headers, OCI_SUBJECT, subject);
    }
    for tag in &stored.tags {
        if let Ok(tag) = HeaderValue::from_str(tag.as_str()) {
            headers.append(OCI_TAG, tag);
        }
    }
    for warning in &stored.warnings {
        answer::warn(headers, warning);
    }
    Ok(response)
}

/// The values of `?tag=`, which go with a push by digest.
fn tags(query: Option<&str>, reference: &Reference) -> Result<Vec<Tag>, Refusal> {
    let tags = query::all(query, "tag")
        .map(|tag| tag?.parse().map_err(|error: crate::oci::TagError| tag_invalid(error.to_string())))
        .collect::<Result<Vec<Tag>, Refusal>>()?;
    if tags.len() > TAGS_MAX {
        let message = format!("expected at most {TAGS_MAX} tags, found {}", tags.len());
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, ErrorCode::Unsupported, Reason::QueryInvalid, message));
    }
    match reference {
        Reference::Tag(_) if !tags.is_empty() => {
            Err(tag_invalid("expected ?tag= with a push by digest only".to_owned()))
        }
        Reference::Tag(_) | Reference::Digest(_) => Ok(tags),
    }
}

fn tag_invalid(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid, Reason::TagInvalid, message)
}

/// `DELETE`: a manifest by its digest, or a tag with its history.
pub(super) async fn delete(call: &Call<'_>, name: &RepositoryName, reference: &Reference) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_delete(call.who, name)?;
    let precondition = answer::precondition(call.headers())?;
    match reference {
        Reference::Digest(digest) => call.registry().delete_manifest(&allowed, digest, &precondition).await?,
        Reference::Tag(tag) => call.registry().delete_tag(&allowed, tag, &precondition).await?,
    }
    Ok(answer::empty(StatusCode::ACCEPTED))
}
