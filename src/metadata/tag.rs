//! Tags and their pushes.

use super::By;
use crate::clock::Timestamp;
use crate::oci::{Digest, Precondition, RepositoryName, Tag};

/// One push of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// What the tag was set to.
    pub digest: Digest,
    /// By whom, as [`Who`](crate::gate::Who) is displayed.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// A tag to be deleted.
#[derive(Clone, Debug)]
pub struct DeleteTag {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What must hold of its newest push.
    pub precondition: Precondition,
    /// Who deletes it, and when.
    pub by: By,
}

/// The answer to [`delete_tag`](super::Metadata::delete_tag).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagDeleted {
    /// It is gone, and so is the evidence.
    Deleted,
    /// Neither was there.
    Absent,
    /// The condition does not hold of what is there, if anything is; nothing changed.
    Unlike(Option<Digest>),
}
