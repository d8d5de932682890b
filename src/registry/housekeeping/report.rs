//! What operators are told of scrub and collection.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::metadata::{Graced, Leased, Metadata, Quarantined, ScrubPass};
use crate::oci::{Digest, RepositoryName};

use super::super::Error;

/// How many of the repositories are told that have one content.
const TOLD_REPOSITORIES: usize = 16;

/// How the scrub stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubStatus {
    /// Whether a pass is under way.
    pub running: bool,
    /// The rate of passes that come by themselves, in bytes a second; 0 is that none do.
    pub bytes_per_second: u64,
    /// The pass that is under way, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<ScrubPassReport>,
    /// How much is quarantined now.
    pub quarantined: u64,
    /// What, the oldest first; of many the first thousand.
    pub objects: Vec<QuarantinedObject>,
}

/// One pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubPassReport {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Contents and manifests that were hashed again.
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

/// What is quarantined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedObject {
    /// Its digest.
    pub digest: Digest,
    /// The repository of a manifest; none for content, which all repositories share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The repositories that have the content; of many the first sixteen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Whether more of them have it.
    #[serde(default)]
    pub more: bool,
    /// What was expected and what was found.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
}

/// What a collection takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Whether there is more to be taken, for this took long: ask again.
    pub more: bool,
    /// Whether there is more of something than is told here: then so are the bytes.
    pub truncated: bool,
    /// Bytes that are given back: of content that no repository keeps, of sessions, and of the trash.
    pub bytes: u64,
    /// What stays for now, in case a push under way counts on it.
    pub waiting: Waiting,
    /// Blobs that no manifest holds and whose lease ended.
    pub blobs: Vec<CollectedBlob>,
    /// Sessions that nobody went on with.
    pub uploads: Vec<Session>,
    /// Evidence and data whose subject never came.
    pub evidence: Vec<Evidence>,
    /// Objects that were given up before, and whose bytes are still there.
    pub trash: Vec<String>,
}

/// Content that no manifest holds any more, and that stays for the grace that a deletion leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// How many blobs.
    pub blobs: u64,
    /// Bytes that they give back when they go.
    pub bytes: u64,
    /// When the last of them may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Blobs that no manifest holds yet.
    #[serde(default)]
    pub unheld: Unheld,
}

/// Content that no manifest holds yet, and that stays for the lease that an upload or a mount leaves: a push that broke off
/// leaves some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unheld {
    /// How many blobs.
    pub blobs: u64,
    /// Bytes that they give back when they go.
    pub bytes: u64,
    /// When the last of them may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A blob that is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedBlob {
    /// The repository.
    pub repository: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// One clause.
    pub why: String,
}

/// A session that is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The repository.
    pub repository: String,
    /// Its identifier.
    pub id: String,
    /// The bytes that are in.
    pub size: u64,
}

/// Evidence or data that is collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The repository.
    pub repository: String,
    /// Its digest.
    pub digest: Digest,
}

impl From<Graced> for Waiting {
    fn from(Graced { graced: Leased { blobs, bytes, until }, leased }: Graced) -> Self {
        let unheld = Unheld { blobs: leased.blobs, bytes: leased.bytes, until: leased.until };
        Self { blobs, bytes, until, unheld }
    }
}

impl From<ScrubPass> for ScrubPassReport {
    fn from(pass: ScrubPass) -> Self {
        let ScrubPass { began, ended, objects, bytes, quarantined, repaired, unnamed, unchecked, .. } = pass;
        Self { began, ended, objects, bytes, quarantined, repaired, unnamed, unchecked }
    }
}

/// The repositories that have a content, as they are told: of many the first, and whether there are more.
pub(in super::super) async fn having(metadata: &dyn Metadata, digest: &Digest) -> Result<(Vec<String>, bool), Error> {
    let having = metadata.repositories_with(digest, TOLD_REPOSITORIES.saturating_add(1)).await?;
    let more = having.len() > TOLD_REPOSITORIES;
    Ok((having.iter().take(TOLD_REPOSITORIES).map(RepositoryName::to_string).collect(), more))
}

impl QuarantinedObject {
    /// What is told of `held`, which these repositories have, and whether more.
    pub(super) fn told(held: Quarantined, (repositories, more): (Vec<String>, bool)) -> Self {
        let repository = held.repository.map(|repository| repository.to_string());
        Self { digest: held.digest, repository, repositories, more, why: held.why, at: held.at }
    }
}
