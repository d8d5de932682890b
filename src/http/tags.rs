//! `/v2/<name>/tags/list`

use axum::response::Response;
use serde::Serialize;

use super::error::Refusal;
use super::lists::Paging;
use super::{Call, answer};
use crate::oci::{RepositoryName, Tag};

#[derive(Serialize)]
struct List<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

/// `GET`: the tags that resolve for the caller, in
/// [lexical order](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags).
pub(super) async fn list(call: &Call<'_>, name: &RepositoryName) -> Result<Response, Refusal> {
    let allowed = call.registry().allow_pull(call.who, name)?;
    let paging = Paging::parse(call)?;
    let page = call.registry().tags(&allowed, paging.begin(), paging.n).await?;
    let tags = page.entries.iter().map(Tag::as_str).collect();
    let mut response = answer::json(call.is_head(), &List { name: name.as_str(), tags })?;
    if let Some(next) = page.next.filter(|_| paging.n > 0) {
        paging.link(call, response.headers_mut(), page.entries.last().map(Tag::as_str), next);
    }
    Ok(response)
}
