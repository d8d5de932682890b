//! `/v2/<name>/blobs/<digest>`

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;

use super::Call;
use super::answer::{self, Tagged};
use super::download::{self, Download};
use super::error::{Reason, Refusal};
use crate::oci::{ByteRange, Digest, ErrorCode, RangeError, RepositoryName};
use crate::registry::{Admitted, BlobContent, Error};

/// `GET` and `HEAD`: the blob, or the range of it that is asked for.
pub(super) async fn read(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let blob = match call.registry().blob(&allowed, digest).await {
        // Clients ask before they push: told anything but that it is absent, none would send the bytes that heal it.
        Err(Error::Quarantined(digest)) if call.is_head() && call.registry().allow_sign(call.who, name).is_ok() => {
            return Err(Error::BlobUnknown(digest).into());
        }
        blob => blob?,
    };
    answer::expect_match(call.headers(), &blob.digest)?;
    let tagged = Tagged::new(&blob.digest).ok_or_else(|| Refusal::unavailable("a digest is no header value"))?;
    let lenience = blob.lenience().cloned();
    let mut response = if tagged.is_had(call.headers()) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        let range = asked_range(call, &tagged, blob.object.size())?;
        send(call, blob, range).await?
    };
    let headers = response.headers_mut();
    tagged.insert(headers);
    if let Some(lenience) = lenience {
        answer::be_lenient(&mut response, &lenience);
    }
    Ok(response)
}

/// The range that is asked for. `Range` belongs to GET, and with `If-Range` only to who has a part of the same content.
fn asked_range(call: &Call<'_>, tagged: &Tagged, size: u64) -> Result<Option<ByteRange>, Refusal> {
    let headers = call.headers();
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Ok(None) };
    if call.parts.method != Method::GET {
        return Ok(None);
    }
    if headers.get(IF_RANGE).is_some_and(|value| !tagged.is_etag(value)) {
        return Ok(None);
    }
    ByteRange::parse(range.to_str().unwrap_or_default(), size).map_err(unsatisfiable)
}

fn unsatisfiable(error: RangeError) -> Refusal {
    let refusal = Refusal::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::SizeInvalid,
        Reason::RangeInvalid,
        error.to_string(),
    );
    match error {
        RangeError::Unsatisfiable(size) => match answer::value(format_args!("bytes */{size}")) {
            Some(value) => refusal.with(CONTENT_RANGE, value),
            None => refusal,
        },
        RangeError::Grammar => refusal,
    }
}

async fn send(call: &Call<'_>, blob: Admitted<BlobContent>, range: Option<ByteRange>) -> Result<Response, Refusal> {
    let size = blob.object.size();
    let (offset, length) = range.map_or((0, size), |range| (range.first, range.length()));
    let body = if call.is_head() {
        Body::empty()
    } else {
        body(blob, offset, length, download::chunk(call.parts.version)).await?
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(ByteRange { first, last }) = range {
        answer::insert(headers, CONTENT_RANGE, format_args!("bytes {first}-{last}/{size}"));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// What fits one read is read before the answer begins, so that a failing medium is still a 503.
async fn body(blob: Admitted<BlobContent>, offset: u64, length: u64, chunk: u64) -> Result<Body, Refusal> {
    if length > chunk {
        return Ok(Body::new(Download::new(Arc::new(blob), offset, length, chunk)));
    }
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    let bytes = blob.object.read(offset, wanted).await.map_err(|error| Refusal::unavailable(error.to_string()))?;
    if bytes.len() != wanted {
        return Err(Refusal::unavailable(format!("expected {wanted} bytes of {}, found {}", blob.digest, bytes.len())));
    }
    Ok(Body::from(bytes))
}

/// `DELETE`: takes the blob out of the repository.
pub(super) async fn delete(call: &Call<'_>, name: &RepositoryName, digest: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_delete(call.who, name)?;
    let precondition = answer::precondition(call.headers())?;
    call.registry().delete_blob(&allowed, digest, &precondition).await?;
    Ok(answer::empty(StatusCode::ACCEPTED))
}
