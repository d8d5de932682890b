//! `/v2/<name>/referrers/<digest>`

use axum::http::HeaderValue;
use axum::response::Response;

use super::answer::{self, OCI_FILTERS};
use super::error::Refusal;
use super::{Call, query};
use crate::oci::{Digest, RepositoryName, media_type};

/// `GET`: an index of what refers to `subject`; empty if nothing does. One that is too large ends early, with a `Link`.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let artifact_type = query::one(call.query(), "artifactType")?.filter(|filter| !filter.is_empty());
    let last = last(call)?;
    let page = call.registry().referrers(&allowed, subject, artifact_type.as_deref(), last.as_ref()).await?;
    let mut response = answer::content(call.is_head(), HeaderValue::from_static(media_type::OCI_INDEX), page.index);
    if let Some(next) = page.next {
        let path = format_args!("/v2/{name}/referrers/{subject}");
        answer::link_next_referrers(response.headers_mut(), path, artifact_type.as_deref(), &next);
    }
    if artifact_type.is_some() {
        response.headers_mut().insert(OCI_FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

/// The referrer after which the page begins: as `Link` of the page before names it.
fn last(call: &Call<'_>) -> Result<Option<Digest>, Refusal> {
    let Some(last) = query::one(call.query(), "last")?.filter(|last| !last.is_empty()) else { return Ok(None) };
    let digest = last.parse().map_err(|_error| Refusal::query("expected last to be the digest of a referrer"))?;
    Ok(Some(digest))
}
