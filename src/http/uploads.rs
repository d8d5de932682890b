//! `/v2/<name>/blobs/uploads/`

use axum::http::StatusCode;
use axum::http::header::{CONTENT_RANGE, LOCATION, RANGE};
use axum::response::Response;
use uuid::Uuid;

use super::answer::{self, CONTENT_DIGEST, UPLOAD_UUID};
use super::error::{Reason, Refusal};
use super::incoming::Incoming;
use super::{Call, query};
use crate::authz::Sign;
use crate::oci::{Algorithm, ContentRange, Digest, ErrorCode, RepositoryName};
use crate::registry::{Allowed, Error, UploadWriter};

/// `POST`: mounts a blob, takes it whole, or opens a session.
pub(super) async fn begin(call: &Call<'_>, body: &mut Incoming, name: &RepositoryName) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    let query = call.query();
    if let Some(digest) = query::one(query, "mount")? {
        let digest = digest.parse()?;
        let from = query::one(query, "from")?.map(|from| from.parse::<RepositoryName>()).transpose()?;
        if call.registry().mount(&allowed, &digest, from.as_ref()).await? {
            return Ok(created(name, &digest));
        }
    }
    if let Some(digest) = query::one(query, "digest")? {
        let digest: Digest = digest.parse()?;
        check_size(call, body)?;
        let upload = call.registry().begin_whole_upload(&allowed, digest.algorithm()).await?;
        return finish_with(body, upload, name, &digest).await;
    }
    let algorithm = match query::one(query, "digest-algorithm")? {
        Some(word) => word.parse()?,
        None => Algorithm::default(),
    };
    let upload = call.registry().begin_upload(&allowed, algorithm).await?;
    Ok(going_on(StatusCode::ACCEPTED, name, upload.id(), upload.offset()))
}

/// `GET`: how far the session is.
pub(super) async fn status(call: &Call<'_>, name: &RepositoryName, id: Uuid) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    let offset = call.registry().upload_status(&allowed, id).await?;
    Ok(going_on(StatusCode::NO_CONTENT, name, id, offset))
}

/// `PATCH`: takes a chunk, or a stream of unknown length.
pub(super) async fn write(
    call: &Call<'_>,
    body: &mut Incoming,
    name: &RepositoryName,
    id: Uuid,
) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    check_size(call, body)?;
    let mut upload = resume(call, &allowed, body.length(), name, id).await?;
    if let Err(refusal) = receive(body, &mut upload).await {
        upload.leave().await;
        return Err(refusal);
    }
    let offset = upload.pause().await.map_err(|error| at_upload(error, name, id))?;
    Ok(going_on(StatusCode::ACCEPTED, name, id, offset))
}

/// `PUT`: takes the last chunk, if there is one, and makes the session a blob.
pub(super) async fn finish(
    call: &Call<'_>,
    body: &mut Incoming,
    name: &RepositoryName,
    id: Uuid,
) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    let Some(digest) = query::one(call.query(), "digest")? else {
        let message = "expected digest in the query";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, Reason::DigestInvalid, message));
    };
    let digest: Digest = digest.parse()?;
    check_size(call, body)?;
    let upload = resume(call, &allowed, body.length(), name, id).await?;
    finish_with(body, upload, name, &digest).await
}

/// `DELETE`: forgets the session.
pub(super) async fn cancel(call: &Call<'_>, name: &RepositoryName, id: Uuid) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_sign(call.who, name)?;
    call.registry().cancel_upload(&allowed, id).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Refuses at the door what says itself that it is too large.
fn check_size(call: &Call<'_>, body: &Incoming) -> Result<(), Refusal> {
    match (body.length(), call.http.limits.blob_bytes) {
        (Some(length), Some(limit)) if length > limit => Err(Error::BlobTooLarge { limit }.into()),
        _ => Ok(()),
    }
}

/// Goes on with a session, at the place that `Content-Range` names if it is there.
async fn resume(
    call: &Call<'_>,
    allowed: &Allowed<Sign>,
    length: Option<u64>,
    name: &RepositoryName,
    id: Uuid,
) -> Result<UploadWriter, Refusal> {
    let range = match call.headers().get(CONTENT_RANGE).map(|value| ContentRange::parse(value.to_str().unwrap_or(""))) {
        None => None,
        Some(Ok(range)) => Some(range),
        Some(Err(_)) => {
            let offset = call.registry().upload_status(allowed, id).await?;
            return Err(at_upload(Error::RangeInvalid { offset }, name, id));
        }
    };
    if let (Some(range), Some(found)) = (range, length)
        && range.length() != found
    {
        return Err(Error::SizeMismatch { expected: range.length(), found }.into());
    }
    call.registry().resume_upload(allowed, id, range).await.map_err(|error| at_upload(error, name, id))
}

async fn receive(body: &mut Incoming, upload: &mut UploadWriter) -> Result<(), Refusal> {
    while let Some(bytes) = body.next().await? {
        upload.write(bytes).await?;
    }
    Ok(())
}

async fn finish_with(
    body: &mut Incoming,
    mut upload: UploadWriter,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Refusal> {
    let id = upload.id();
    if let Err(refusal) = receive(body, &mut upload).await {
        upload.leave().await;
        return Err(refusal);
    }
    upload.finish(digest).await.map_err(|error| at_upload(error, name, id))?;
    Ok(created(name, digest))
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let mut response = answer::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    answer::locate(headers, format_args!("/v2/{name}/blobs/{digest}"));
    answer::insert(headers, CONTENT_DIGEST, digest);
    response
}

fn going_on(status: StatusCode, name: &RepositoryName, id: Uuid, offset: u64) -> Response {
    let mut response = answer::empty(status);
    let headers = response.headers_mut();
    answer::locate(headers, format_args!("/v2/{name}/blobs/uploads/{id}"));
    answer::insert(headers, RANGE, format_args!("0-{}", offset.saturating_sub(1)));
    answer::insert(headers, UPLOAD_UUID, id);
    response
}

/// A chunk that is not at its place is answered with where the session is.
fn at_upload(error: Error, name: &RepositoryName, id: Uuid) -> Refusal {
    let Error::RangeInvalid { offset } = error else { return error.into() };
    let mut refusal = Refusal::from(error);
    for (header, value) in [
        (LOCATION, answer::value(format_args!("/v2/{name}/blobs/uploads/{id}"))),
        (RANGE, answer::value(format_args!("0-{}", offset.saturating_sub(1)))),
    ] {
        if let Some(value) = value {
            refusal = refusal.with(header, value);
        }
    }
    refusal
}
