//! What waits: pushes for evidence, and digests to be judged.

use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName, Tag};

use super::Push;

/// The newest push of a tag that never met a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPush {
    /// The tag.
    pub tag: Tag,
    /// What was pushed.
    pub push: Push,
}

/// The pushes of one repository that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingIn {
    /// The repository.
    pub repository: RepositoryName,
    /// How many there are.
    pub pushes: u64,
    /// When the oldest was pushed.
    pub oldest: Timestamp,
    /// When the first of those was pushed that were pushed at the moment that was asked for, or after it.
    pub next: Option<Timestamp>,
}

/// A digest that is to be judged with what it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToJudge {
    /// Its repository.
    pub repository: RepositoryName,
    /// The digest.
    pub digest: Digest,
    /// Grows with what comes: void once anything came after it.
    pub ticket: u64,
}
