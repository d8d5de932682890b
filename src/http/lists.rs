//! What lists share: `n`, `last` and `next`.

use axum::http::HeaderMap;
use axum::http::header::LINK;

use super::error::Refusal;
use super::{Call, answer, query};
use crate::registry::Next;

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
    /// Reads `n`, at most [`crate::config::Limits::page_max`], `last`, and `next`, which says the same as `last` and more
    /// if it is a word that [`Paging::link`] wrote for this caller and this list, and nothing if it is not.
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
        let word = query::one(call.query(), "next")?;
        let place = word.and_then(|word| call.http.cursors.open(call.path(), call.who, &word));
        Ok(Self { n, last, place })
    }

    /// After what the page begins.
    pub(super) fn after(&self) -> Option<&str> {
        self.place.as_deref().or(self.last.as_deref())
    }

    /// Adds the `Link` to the next page. What the caller must not learn of is named by no word that it can read.
    pub(super) fn link(&self, call: &Call<'_>, headers: &mut HeaderMap, last: Option<&str>, next: &Next<String>) {
        let mut link = format!("<{}?n={}", call.path(), self.n);
        let mut add = |key: &str, value: &str| {
            link.extend(["&", key, "=", &query::encode(value).to_string()]);
        };
        match next {
            Next::Listed(entry) => add("last", entry),
            Next::Unlisted(place) => {
                if let Some(last) = last.or(self.last.as_deref()) {
                    add("last", last);
                }
                if let Some(word) = call.http.cursors.seal(call.path(), call.who, place) {
                    add("next", &word);
                }
            }
        }
        answer::insert(headers, LINK, format_args!("{link}>; rel=\"next\""));
    }
}
