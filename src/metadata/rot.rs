//! What the scrub reads and notes.

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::oci::{Digest, RepositoryName};

/// A stored content, whichever repositories have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its digest.
    pub digest: Digest,
    /// Where its bytes are, or were until they were quarantined.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is quarantined.
    pub quarantined: bool,
}

/// A manifest in the order in which manifests were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedManifest {
    /// Its place: hand the last one back for what follows.
    pub place: u64,
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether it is quarantined.
    pub quarantined: bool,
}

/// What is quarantined now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The repository of a manifest; none for content, which all repositories share.
    pub repository: Option<RepositoryName>,
    /// Its digest.
    pub digest: Digest,
    /// Where content was; none for a manifest, whose bytes are in the metadata.
    pub key: Option<String>,
    /// One clause.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
}

/// A pass of the scrub: how far it is, and what it came to.
///
/// A pass goes through contents in the order of their digests, then through manifests in the order in which they were
/// stored: what was checked first in one pass comes first in the next, so the oldest check is always renewed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubPass {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The last content that was checked.
    pub content: Option<Digest>,
    /// The place of the last manifest that was checked.
    pub manifest: u64,
    /// Contents and manifests that were checked.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was quarantined.
    pub quarantined: u64,
    /// What was repaired from another copy.
    pub repaired: u64,
    /// Objects without a name that were put in the trash.
    pub unnamed: u64,
    /// Contents that could not be opened or read, which says nothing about them.
    pub unchecked: u64,
}

impl ScrubPass {
    /// A pass that begins now.
    pub const fn begin(at: Timestamp) -> Self {
        Self {
            began: at,
            ended: None,
            content: None,
            manifest: 0,
            objects: 0,
            bytes: 0,
            quarantined: 0,
            repaired: 0,
            unnamed: 0,
            unchecked: 0,
        }
    }
}
