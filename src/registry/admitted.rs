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
///     Admitted { content: content.into(), warning: None }
/// }
/// ```
#[derive(Debug)]
pub struct Admitted<T> {
    content: Arc<T>,
    warning: Option<Arc<str>>,
}

impl<T> Admitted<T> {
    pub(super) fn new(content: T, warning: Option<String>) -> Self {
        Self { content: Arc::new(content), warning: warning.map(Into::into) }
    }

    /// Why it would be withheld if its requirement were enforced.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl<T> Clone for Admitted<T> {
    fn clone(&self) -> Self {
        Self { content: Arc::clone(&self.content), warning: self.warning.clone() }
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
    /// The entries, in byte order.
    pub entries: Vec<T>,
    /// What to ask for next as `last`, if there may be more.
    pub next: Option<String>,
}
