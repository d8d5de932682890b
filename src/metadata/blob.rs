//! Blobs of repositories.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::gate::Who;
use crate::oci::{Digest, RepositoryName};

/// A blob of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where its bytes are.
    pub key: String,
    /// Their size.
    pub size: u64,
    /// Whether its content is quarantined: known to have been there, and never served.
    pub quarantined: bool,
}

/// A blob to be made part of a repository.
#[derive(Clone, Debug)]
pub struct CommitBlob {
    /// The repository; made if it is new.
    pub repository: RepositoryName,
    /// The digest that the bytes hash to.
    pub digest: Digest,
    /// Their size.
    pub size: u64,
    /// Where they are: what was sealed, or what was live.
    pub key: String,
    /// The live key whose bytes were found to be lost: `key` takes its place if it is live still.
    pub lost: Option<String>,
    /// Who uploaded or mounted it.
    pub who: Who,
    /// The session that ends with it.
    pub upload: Option<Uuid>,
    /// Until when it stays without a manifest that holds it.
    pub lease: Timestamp,
    /// At most this many blobs that no manifest holds, by the same person in this repository; none is without limit.
    pub unheld_cap: Option<u64>,
    /// Now.
    pub at: Timestamp,
}

/// The answer to [`commit_blob`](super::Metadata::commit_blob).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is part of the repository, under the key that was given.
    Stored,
    /// It is part of the repository, and another key was there first: the given one is surplus, remove it.
    Surplus,
    /// The live content named by the key was collected meanwhile: begin again from [`reserve`](super::Metadata::reserve).
    Gone,
    /// The cap on blobs that nothing holds is reached; nothing changed.
    Capped,
}

/// The answer to [`delete_blob`](super::Metadata::delete_blob).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobDeleted {
    /// It is gone from the repository.
    Deleted,
    /// It was not there.
    Absent,
    /// A manifest of the repository holds it; nothing changed.
    Held,
}
