//! What the layouts on disk are behind.

use std::sync::Arc;

use crate::oci::{Digest, RepositoryName};

/// The pending view of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyView {
    /// The repository.
    pub repository: RepositoryName,
    /// Hand this back to [`clean_view`](super::Metadata::clean_view); changes after it stay pending.
    pub sequence: u64,
    /// Changes since the view was last clean, in order.
    pub changes: Vec<ViewChange>,
    /// Every entry of `index.json` now: one for each tag's newest push, one for each manifest that has neither tag nor parent.
    pub entries: Vec<ViewEntry>,
}

/// One pending change of a view, as it is *now*: a digest that came and went is an unlink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewChange {
    /// The blob is in the repository, under this key.
    Link(Digest, String),
    /// The manifest is in the repository.
    Write(Digest),
    /// Neither is.
    Unlink(Digest),
}

/// One entry of a view's `index.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewEntry {
    /// The manifest's media type; entries share it.
    pub media_type: Arc<str>,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The tag, if it has one.
    pub tag: Option<String>,
}
