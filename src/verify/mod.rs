//! Evidence: what it looks like, what is false about it under any trust, and what it shows under one.
//!
//! Pure: bytes, trust and time come by parameter.

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::gate::{Finding, Shape};
use crate::oci::{Digest, EvidenceTag, Manifest, RepositoryName};
use crate::trust::Trust;

/// What a manifest looks like by itself, before its layers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// Evidence, if its layers parse as the payload of this shape.
    Evidence(Shape),
    /// An index under `sha256-<hex>`: a referrers list, if every entry is evidence or data for that digest.
    ReferrersList,
    /// Data, if its blobs are text of their kind.
    Data,
    /// Everything else.
    Object,
}

/// What is false under any trust and at any time: refused at push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Falsehood {
    /// What would have been true.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Falsehood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Falsehood {}

/// What `manifest`, pushed under `tag` or by digest, looks like; `data_types` are the artifact types of data.
pub fn candidate(_manifest: &Manifest, _tag: Option<&EvidenceTag>, _data_types: &[String]) -> Candidate {
    Candidate::Object
}

/// Parses every layer as the payload of `shape`: the digest that it is about, or what is false.
pub fn check_evidence(
    _shape: Shape,
    _manifest: &Manifest,
    _layers: &[Bytes],
    _tag: Option<&EvidenceTag>,
) -> Result<Digest, Falsehood> {
    Err(Falsehood { expected: "evidence".to_owned(), found: "a shape that is not read yet".to_owned() })
}

/// Parses every layer as text of its kind that nobody can run: the digest that it is about, or what is false.
pub fn check_data(_manifest: &Manifest, _layers: &[Bytes], _tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    Err(Falsehood { expected: "data".to_owned(), found: "a kind that is not read yet".to_owned() })
}

/// One piece of evidence about `subject`, with its bytes.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The evidence manifest's digest.
    pub digest: Digest,
    /// Its shape.
    pub shape: Shape,
    /// The evidence manifest.
    pub manifest: &'a Manifest,
    /// Its layers, in order.
    pub layers: &'a [Bytes],
    /// What it is about.
    pub subject: Digest,
    /// The subject's bytes, when they are at hand.
    pub subject_bytes: Option<&'a Bytes>,
    /// Where it is.
    pub repository: &'a RepositoryName,
}

/// Judges evidence: one finding for each signature.
pub trait Verifier: Send + Sync + 'static {
    /// What `evidence` shows under `trust` at the time `at`. Pure: the same answer for the same parameters;
    /// whatever can't be judged is a finding that counts for nothing.
    fn verify(&self, evidence: &Evidence<'_>, trust: &Trust, at: Timestamp) -> Vec<Finding>;
}

/// Judges cosign's key signatures; every other shape is recognised and counts for nothing yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignatureVerifier;

impl Verifier for SignatureVerifier {
    fn verify(&self, _evidence: &Evidence<'_>, _trust: &Trust, _at: Timestamp) -> Vec<Finding> {
        Vec::new()
    }
}
