//! `/v2/_catalog`

use axum::response::Response;
use serde::Serialize;

use super::error::Refusal;
use super::lists::Paging;
use super::{Call, answer};
use crate::oci::RepositoryName;

#[derive(Serialize)]
struct List<'a> {
    repositories: Vec<&'a str>,
}

/// `GET`: the repositories that the caller may pull from, in byte order.
pub(super) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let paging = Paging::parse(call)?;
    let page = call.registry().catalog(call.who, paging.begin(), paging.n).await?;
    let repositories = page.entries.iter().map(RepositoryName::as_str).collect();
    let mut response = answer::json(call.is_head(), &List { repositories })?;
    if let Some(next) = page.next.filter(|_| paging.n > 0) {
        let last = page.entries.last().map(RepositoryName::as_str);
        paging.link(call, response.headers_mut(), last, next);
    }
    Ok(response)
}
