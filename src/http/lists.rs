//! What lists share: `n` and `last`.

use super::error::Refusal;
use super::{Call, query};

/// One page as it is asked for.
#[derive(Debug)]
pub(super) struct Paging {
    /// How many entries at the most; zero asks for an empty list.
    pub(super) n: usize,
    /// The entry after which it begins.
    pub(super) last: Option<String>,
}

impl Paging {
    /// Reads `n`, at most [`crate::config::Limits::page_max`], and `last`.
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
        Ok(Self { n, last })
    }
}
