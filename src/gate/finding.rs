//! What one piece of evidence shows about its subject.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SignerName;
use crate::clock::Timestamp;
use crate::oci::Digest;

/// The shape in which evidence came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Simple-signing layers, under the tag `sha256-<hex>.sig` or as an OCI 1.1 referrer.
    CosignSignature,
    /// DSSE layers, under the tag `sha256-<hex>.att` or as an OCI 1.1 referrer.
    CosignAttestation,
    /// A Sigstore bundle as a referrer.
    SigstoreBundle,
    /// A notation envelope as a referrer.
    NotationSignature,
    /// An index under the tag `sha256-<hex>` that lists referrers, written by clients of older registries.
    ReferrersList,
}

impl Shape {
    /// The word that users read and the metadata keeps.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CosignSignature => "cosign-signature",
            Self::CosignAttestation => "cosign-attestation",
            Self::SigstoreBundle => "sigstore-bundle",
            Self::NotationSignature => "notation-signature",
            Self::ReferrersList => "referrers-list",
        }
    }

    /// The shape that [`Shape::as_str`] wrote.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::CosignSignature,
            Self::CosignAttestation,
            Self::SigstoreBundle,
            Self::NotationSignature,
            Self::ReferrersList,
        ]
        .into_iter()
        .find(|shape| shape.as_str() == word)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a threshold counts once: a key by its `SubjectPublicKeyInfo`; of a certificate, a space and who it is follow,
/// as the key of its root and a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity(pub String);

impl Identity {
    /// That of the holder of a certificate for `key`: `subject` below the root of the key `root`.
    pub fn certified(key: &Self, root: &Self, subject: impl fmt::Display) -> Self {
        Self(format!("{} {} {subject}", key.0, root.0))
    }

    /// By what it is known, the key and whoever holds it: two that share either are one. The certificates come
    /// unsigned beside a signature, so whoever carries it chooses which of several chains of its key are told.
    pub fn marks(&self) -> impl Iterator<Item = &str> {
        self.0.splitn(2, ' ')
    }
}

/// One piece of evidence, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The evidence manifest.
    pub evidence: Digest,
    /// Its shape.
    pub shape: Shape,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of one signature in a piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It is a signature over the subject by these signers (several names may share one key).
    Verified {
        /// The signers whose key or identity made it.
        signers: Vec<SignerName>,
        /// What a threshold counts.
        identity: Identity,
        /// When it stops to hold, if anything in it expires.
        until: Option<Timestamp>,
    },
    /// It counts for nothing now.
    Nothing {
        /// What would have counted.
        expected: String,
        /// What is there.
        found: String,
        /// When it may begin to count by time alone, if so: a certificate that is not valid yet.
        #[serde(skip)]
        again_at: Option<Timestamp>,
    },
}

impl Outcome {
    /// Something that counts for nothing, whatever the time.
    pub fn nothing(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Nothing { expected: expected.into(), found: found.into(), again_at: None }
    }

    /// When what came of it may change by time alone.
    pub const fn changes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Verified { until, .. } => *until,
            Self::Nothing { again_at, .. } => *again_at,
        }
    }
}
