//! Manifests: as they are put, as they are stored, and as lists show them.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::gate::{Shape, Who};
use crate::oci::{Digest, LinkKind, Precondition, Reference, RepositoryName, Tag};

/// What a stored manifest is to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Someone could run or use it.
    Object,
    /// A manifest in one of cosign's or notation's shapes.
    Evidence(Shape),
    /// An attachment of a listed kind that nobody can run.
    Data,
}

/// A manifest to be stored.
#[derive(Clone, Debug)]
pub struct PutManifest {
    /// The repository; made if it is new.
    pub repository: RepositoryName,
    /// The digest that the bytes hash to.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: String,
    /// What referrers lists show as `artifactType`.
    pub artifact_type: Option<String>,
    /// What referrers lists show as `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// What it is.
    pub kind: Kind,
    /// `subject` of the manifest, or, for evidence and data by tag or payload, the digest it is about.
    pub subject: Option<Digest>,
    /// Whether `subject` is the manifest's own field, so that the referrers API lists it.
    pub is_referrer: bool,
    /// What it holds, with whether it must be present in the repository.
    pub links: Vec<PutLink>,
    /// Tags to set on it; several in one push.
    pub tags: Vec<Tag>,
    /// Under which condition; none is under any.
    pub only_if: Option<OnlyIf>,
    /// How many pushes a tag keeps.
    pub tag_history: usize,
    /// At most this many pieces of evidence and data of this person about this subject, and ten times as many in the
    /// repository about subjects that are not there; none is without limit.
    pub evidence_cap: Option<u64>,
    /// When evidence whose subject never comes expires.
    pub orphan_lease: Timestamp,
    /// Who pushes.
    pub who: Who,
    /// Now.
    pub at: Timestamp,
}

/// A condition of a change, decided in the transaction that makes it.
#[derive(Clone, Debug)]
pub struct OnlyIf {
    /// What it speaks of: of a tag, its newest push; of a digest, whether that manifest is there.
    pub reference: Reference,
    /// What must hold of that.
    pub precondition: Precondition,
}

/// One thing that a manifest to be stored holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutLink {
    /// Through which field.
    pub kind: LinkKind,
    /// What.
    pub digest: Digest,
    /// Whether it must be present in this repository, and not quarantined: as a blob, or for [`LinkKind::Manifest`] as a
    /// manifest or a blob.
    pub required: bool,
}

/// The answer to [`put_manifest`](super::Metadata::put_manifest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Stored; whether it was there before.
    Stored {
        /// Whether the digest was already in the repository.
        existed: bool,
    },
    /// Required content is absent from the repository, or quarantined; nothing changed.
    Absent(Vec<Digest>),
    /// The cap on evidence is reached; nothing changed.
    Capped,
    /// The condition does not hold of what is there, if anything is; nothing changed.
    Unlike(Option<Digest>),
}

/// A stored manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
    /// Their media type.
    pub media_type: String,
    /// What referrers lists show as `artifactType`.
    pub artifact_type: Option<String>,
    /// What referrers lists show as `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject: Option<Digest>,
    /// When it was pushed.
    pub at: Timestamp,
}

/// How many bytes of manifests one read of many takes, but for the last: a page of them ends early there.
pub const MANIFESTS_BYTES: usize = 1 << 20;

/// How many bytes of annotations one read of referrers takes, but for the last: a page of them ends early there.
pub const REFERRERS_BYTES: usize = 1 << 20;

/// A stored manifest as a list of referrers shows it: its bytes are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Their media type.
    pub media_type: String,
    /// What the list shows as `artifactType`.
    pub artifact_type: Option<String>,
    /// What the list shows as `annotations`: a JSON object, as it was stored.
    pub annotations: String,
    /// What it is.
    pub kind: Kind,
}

/// A manifest that holds a blob or another manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The manifest.
    pub digest: Digest,
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    pub subject: Option<Digest>,
}
