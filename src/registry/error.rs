//! The one error of the registry's verbs; HTTP maps it in one place.

use serde::Serialize;

use crate::authz::Undecided;
use crate::gate::Unmet;
use crate::metadata::Unavailable;
use crate::oci::{Digest, Reference};
use crate::store::StoreError;

/// Why a manifest is withheld: the `detail` of a 403.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// The one clause that says it all.
    pub reason: String,
    /// Each requirement that was granted, and why the digest does not meet it. One would suffice.
    pub requirements: Vec<Unmet>,
}

/// Why a verb was not carried out. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody showed a credential, and it may help: 401.
    #[error("credentials are required")]
    Unauthorized,
    /// The repository does not exist, or the caller has no grant in it: the same answer.
    #[error("repository name not known to registry")]
    NameUnknown,
    /// No such manifest or tag.
    #[error("manifest {0} is unknown")]
    ManifestUnknown(Reference),
    /// No such blob, or it is withheld.
    #[error("blob {0} is unknown")]
    BlobUnknown(Digest),
    /// No such session for this caller.
    #[error("upload is unknown")]
    UploadUnknown,
    /// The caller lacks a right.
    #[error("{0}")]
    Denied(String),
    /// A requirement is not met.
    #[error("{}", .0.reason)]
    Withheld(Box<Withheld>),
    /// The manifest can't be taken.
    #[error("{0}")]
    ManifestInvalid(String),
    /// The manifest names content that is not in this repository.
    #[error("{} of the manifest's blobs are unknown to this repository", .0.len())]
    ContentAbsent(Vec<Digest>),
    /// `If-Match` or `If-None-Match` does not hold of what is there, if anything is.
    #[error("expected If-Match and If-None-Match to hold of what is there, found {0}")]
    PreconditionFailed(&'static str),
    /// The manifest is over the limit, in bytes.
    #[error("expected a manifest of at most {limit} bytes")]
    ManifestTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The blob is over the limit, in bytes.
    #[error("expected a blob of at most {limit} bytes")]
    BlobTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The content does not hash to the digest that was given.
    #[error("expected content with digest {expected}, found {found}")]
    DigestMismatch {
        /// The digest that was given.
        expected: Digest,
        /// The digest of the content.
        found: Digest,
    },
    /// The content is shorter or longer than was said.
    #[error("expected {expected} bytes, found {found}")]
    SizeMismatch {
        /// What was said.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The chunk does not begin where the upload ends.
    #[error("expected a chunk that begins at byte {offset}")]
    RangeInvalid {
        /// Where the upload ends.
        offset: u64,
    },
    /// Another request writes to the upload now.
    #[error("another request writes to this upload")]
    UploadBusy,
    /// A manifest of the repository holds the blob.
    #[error("a manifest of this repository holds the blob {0}: delete the manifest first")]
    BlobHeld(Digest),
    /// The change would break what someone relies on.
    #[error("{0}")]
    Conflict(String),
    /// A cap is reached.
    #[error("{0}")]
    Capped(String),
    /// No space is left.
    #[error("no space is left")]
    Full,
    /// No space is left for pushes of objects, in bytes.
    #[error("no space is left for pushes: expected {bytes} bytes beside the {floor} that stay free, found {free} free")]
    AtFloor {
        /// What was to be written.
        bytes: u64,
        /// What such pushes leave free.
        floor: u64,
        /// What is free.
        free: u64,
    },
    /// It is stored and is not what its name says, so nobody gets it.
    #[error("stored content {0} does not hash to its name; it is quarantined")]
    Quarantined(Digest),
    /// It can't be told: never "unsigned", never "allowed".
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// The precondition does not hold of `found`.
    pub(super) const fn unlike(found: Option<Digest>) -> Self {
        Self::PreconditionFailed(match found {
            Some(_) => "something that they exclude",
            None => "nothing",
        })
    }
}

impl From<Unavailable> for Error {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Full => Self::Full,
            Unavailable::Broken(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<Undecided> for Error {
    fn from(error: Undecided) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Io(source) => Self::Unavailable(format!("the store can't answer: {source}")),
            StoreError::Absent(_) => Self::Unavailable(error.to_string()),
        }
    }
}
