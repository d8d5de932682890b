//! What lists share: `n`, `last` and `next`.

use axum::http::HeaderMap;
use axum::http::header::LINK;

use super::error::Refusal;
use super::{Call, answer, query};
use crate::registry::{Begin, Next};

/// One page as it is asked for.
#[derive(Debug)]
pub(super) struct Paging {
    /// How many entries at the most; zero asks for an empty list.
    pub(super) n: usize,
    /// The entry after which it begins, as the client names it.
    last: Option<String>,
    /// Where a page before ended that told its client so in a word for this alone.
    place: Option<String>,
}

impl Paging {
    /// Reads `n`, at most [`crate::config::Limits::page_max`], `last`, and `next`, which says where to go on looking if it
    /// is a word that [`Paging::link`] wrote for this caller and this list, and nothing if it is not.
    pub(super) fn parse(call: &Call<'_>) -> Result<Self, Refusal> {
        let most = call.http.limits.page_max;
        let n = match query::one(call.query(), "n")? {
            None => most,
            Some(n) if n.is_empty() || !n.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(Refusal::query("expected n to be a number of entries"));
            }
            // More digits than fit are more than the most.
            Some(n) => n.parse().unwrap_or(usize::MAX).min(most),
        };
        let last = query::one(call.query(), "last")?.filter(|last| !last.is_empty()).map(Into::into);
        Ok(Self { n, last, place: place(call)? })
    }

    /// Where the page begins.
    pub(super) fn begin(&self) -> Begin<'_> {
        Begin { last: self.last.as_deref(), place: self.place.as_deref() }
    }

    /// Adds the `Link` to the next page, where `last` is the last entry of this one.
    pub(super) fn link(&self, call: &Call<'_>, headers: &mut HeaderMap, last: Option<&str>, next: Next<String>) {
        let mut pairs = vec![("n", self.n.to_string())];
        pairs.extend(begins(call, last.or(self.last.as_deref()).map(str::to_owned), next));
        link(call, headers, &pairs);
    }
}

/// Where a page before ended, if it told this caller so in a word for this list alone.
pub(super) fn place(call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let word = query::one(call.query(), "next")?;
    Ok(word.and_then(|word| call.http.cursors.open(call.path(), call.who, &word)))
}

/// What the query of the next page says of where it begins; `last` is the last entry so far. What the caller must not learn
/// of is named by no word that it can read.
pub(super) fn begins(
    call: &Call<'_>,
    last: Option<String>,
    next: Next<String>,
) -> impl Iterator<Item = (&'static str, String)> {
    let (last, word) = match next {
        Next::Listed(last) => (Some(last), None),
        Next::Unlisted(place) => (last, call.http.cursors.seal(call.path(), call.who, &place)),
    };
    last.map(|last| ("last", last)).into_iter().chain(word.map(|word| ("next", word)))
}

/// Adds the `Link` to the page of this list that such a query asks for.
pub(super) fn link(call: &Call<'_>, headers: &mut HeaderMap, pairs: &[(&str, String)]) {
    let query: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", query::encode(value))).collect();
    answer::insert(headers, LINK, format_args!("<{}?{}>; rel=\"next\"", call.path(), query.join("&")));
}
