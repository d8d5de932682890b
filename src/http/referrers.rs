//! `/v2/<name>/referrers/<digest>`

use axum::http::HeaderValue;
use axum::response::Response;

use super::answer::{self, OCI_FILTERS};
use super::error::Refusal;
use super::{Call, lists, query};
use crate::oci::{Digest, RepositoryName, media_type};
use crate::registry::Next;

/// `GET`: an index of what refers to `subject`; empty if nothing does. One that is too large, or passes too much by, ends
/// early, with a `Link`.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let artifact_type = query::one(call.query(), "artifactType")?.filter(|filter| !filter.is_empty());
    let last = last(call)?;
    let place = lists::place(call)?.and_then(|place| place.parse().ok());
    let after = place.map(Next::Unlisted).or(last.map(Next::Listed));
    let page = call.registry().referrers(&allowed, subject, artifact_type.as_deref(), after.as_ref()).await?;
    let mut response = answer::content(call.is_head(), HeaderValue::from_static(media_type::OCI_INDEX), page.index);
    if let Some(next) = page.next {
        let last = page.last.or(last).map(|last| last.to_string());
        let mut pairs: Vec<_> = lists::begins(call, last, next.map(|place| place.to_string())).collect();
        pairs.extend(artifact_type.as_deref().map(|of| ("artifactType", of.to_owned())));
        lists::link(call, response.headers_mut(), &pairs);
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
