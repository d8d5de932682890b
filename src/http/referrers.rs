//! `/v2/<name>/referrers/<digest>`

use axum::http::HeaderValue;
use axum::response::Response;

use super::answer::{self, OCI_FILTERS};
use super::error::Refusal;
use super::{Call, query};
use crate::oci::{Digest, RepositoryName, media_type};

/// `GET`: an index of what refers to `subject`; empty if nothing does.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let artifact_type = query::one(call.query(), "artifactType")?.filter(|filter| !filter.is_empty());
    let index = call.registry().referrers(&allowed, subject, artifact_type.as_deref()).await?;
    let mut response = answer::content(call.is_head(), HeaderValue::from_static(media_type::OCI_INDEX), index);
    if artifact_type.is_some() {
        response.headers_mut().insert(OCI_FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}
