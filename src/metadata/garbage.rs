//! What a sweep would take.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName};

/// What [`super::Metadata::sweep`] would take now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Sessions that nobody went on with, each with the bytes that are in.
    pub uploads: Vec<(Uuid, RepositoryName, u64)>,
    /// Blobs that nothing holds and whose lease ended.
    pub blobs: Vec<GarbageBlob>,
    /// Evidence and data whose subject never came.
    pub orphans: Vec<(RepositoryName, Digest)>,
    /// Keys in the trash whose bytes were not removed yet.
    pub trash: Vec<String>,
}

/// Contents that nothing holds and that stay for a while, in case a push under way counts on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Graced {
    /// Those whose lease in every repository ends within the grace that a deletion leaves.
    pub graced: Leased,
    /// The others: those that were uploaded or mounted, and whose manifest did not come yet.
    pub leased: Leased,
}

/// Contents whose lease has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last of them may go; none is that there are none.
    pub until: Option<Timestamp>,
}

/// A blob that a sweep would take out of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageBlob {
    /// The repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether no other repository keeps its content, so that the bytes go.
    pub last: bool,
}
