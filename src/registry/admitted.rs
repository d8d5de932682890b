//! Proof that content may be served to the caller who asked.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::oci::Digest;
use crate::store::Object;

/// Content that was admitted: only admission makes it.
///
/// ```compile_fail
/// use hallmark::registry::{Admitted, ManifestContent};
/// fn forge(content: ManifestContent) -> Admitted<ManifestContent> {
///     Admitted { content: content.into(), lenience: None }
/// }
/// ```
#[derive(Debug)]
pub struct Admitted<T> {
    content: Arc<T>,
    lenience: Option<Lenience>,
}

/// Why content would be withheld if the mode of its requirement were `enforce`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lenience {
    /// What is not met.
    pub reason: Arc<str>,
    /// Whether the client is told, in a `Warning`: mode `warn`. Else, in mode `audit`, only the log is.
    pub warns: bool,
}

impl<T> Admitted<T> {
    pub(super) fn new(content: T, lenience: Option<Lenience>) -> Self {
        Self { content: Arc::new(content), lenience }
    }

    /// Why it would be withheld if its requirement were enforced.
    pub const fn lenience(&self) -> Option<&Lenience> {
        self.lenience.as_ref()
    }
}

impl<T> Clone for Admitted<T> {
    fn clone(&self) -> Self {
        Self { content: Arc::clone(&self.content), lenience: self.lenience.clone() }
    }
}

impl<T> Deref for Admitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

/// A manifest to be served.
#[derive(Clone, Debug)]
pub struct ManifestContent {
    /// The bytes that hash to `digest`.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: String,
    /// Their digest: what was judged.
    pub digest: Digest,
}

/// A blob to be served.
pub struct BlobContent {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub object: Box<dyn Object>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The entries, in the order of the list.
    pub entries: Vec<T>,
    /// After what the next page begins, if there may be more.
    pub next: Option<Next<String>>,
}

/// Where a page of names begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin<'a> {
    /// The last entry of the page before, or whatever the client says in its place: what comes after it is listed.
    pub last: Option<&'a str>,
    /// What was looked at last for the page before, if that is not listed for the caller.
    pub place: Option<&'a str>,
}

impl<'a> Begin<'a> {
    /// From where on the page is looked for, and up to what nothing is listed of what is found: from `last` only if that is
    /// listed for the caller.
    pub(super) const fn start(self, is_listed: bool) -> (Option<&'a str>, Option<&'a str>) {
        match self.place {
            None if is_listed => (self.last, None),
            place => (place, self.last),
        }
    }
}

/// After what a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// The last entry of the page before.
    Listed(T),
    /// What was looked at last and is not listed for the caller, who must not learn its name.
    Unlisted(T),
}

impl<T> Next<T> {
    /// After `place`, where the last entry is `listed`.
    pub(super) fn after<L: ?Sized>(place: T, listed: Option<&L>) -> Self
    where
        T: PartialEq<L>,
    {
        if listed.is_some_and(|listed| place == *listed) { Self::Listed(place) } else { Self::Unlisted(place) }
    }

    /// The same, with the place written otherwise.
    pub fn map<U>(self, write: impl FnOnce(T) -> U) -> Next<U> {
        match self {
            Self::Listed(place) => Next::Listed(write(place)),
            Self::Unlisted(place) => Next::Unlisted(write(place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_after_what_is_listed_or_is_not() {
        assert_eq!(Next::after("b".to_owned(), Some("b")), Next::Listed("b".to_owned()));
        assert_eq!(Next::after("b".to_owned(), Some("a")), Next::Unlisted("b".to_owned()));
        assert_eq!(Next::after::<str>("b".to_owned(), None), Next::Unlisted("b".to_owned()));
    }
}
