//! `/v2/<name>/referrers/<digest>`

use std::fmt::Write as _;

use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::Response;

use super::answer::{self, OCI_FILTERS};
use super::error::Refusal;
use super::{Call, query};
use crate::oci::{Digest, RepositoryName, media_type};
use crate::registry::Next;

/// `GET`: an index of what refers to `subject`; empty if nothing does. One that is too large, or passes too much by, ends
/// early, with a `Link`.
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let artifact_type = query::one(call.query(), "artifactType")?.filter(|filter| !filter.is_empty());
    let last = last(call)?;
    let after = place(call)?.map(Next::Unlisted).or(last.map(Next::Listed));
    let page = call.registry().referrers(&allowed, subject, artifact_type.as_deref(), after.as_ref()).await?;
    let mut response = answer::content(call.is_head(), HeaderValue::from_static(media_type::OCI_INDEX), page.index);
    if let Some(next) = page.next {
        let target = next_page(call, (page.last.or(last), &next), artifact_type.as_deref());
        answer::insert(response.headers_mut(), LINK, format_args!("<{target}>; rel=\"next\""));
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

/// Where the page before ended, if it told this caller so in a word for this list alone.
fn place(call: &Call<'_>) -> Result<Option<Digest>, Refusal> {
    let word = query::one(call.query(), "next")?;
    let place = word.and_then(|word| call.http.cursors.open(call.path(), call.who, &word));
    Ok(place.and_then(|place| place.parse().ok()))
}

/// The target of the `Link` to the next page, where `last` is the last entry so far. What is not listed for the caller is
/// named by no word that it can read.
fn next_page(call: &Call<'_>, (last, next): (Option<Digest>, &Next<Digest>), artifact_type: Option<&str>) -> String {
    let mut pairs = Vec::new();
    let (last, place) = match next {
        Next::Listed(last) => (Some(*last), None),
        Next::Unlisted(place) => (last, call.http.cursors.seal(call.path(), call.who, &place.to_string())),
    };
    pairs.extend(last.map(|last| ("last", last.to_string())));
    pairs.extend(place.map(|word| ("next", word)));
    pairs.extend(artifact_type.map(|of| ("artifactType", of.to_owned())));
    let mut target = call.path().to_owned();
    for (index, (key, value)) in pairs.iter().enumerate() {
        let before = if index == 0 { '?' } else { '&' };
        // Writing to a string does not fail.
        let _written = write!(target, "{before}{key}={}", query::encode(value));
    }
    target
}
