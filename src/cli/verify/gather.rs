//! Evidence → findings: what counts, and what counts for nothing and why.

use std::collections::HashMap;

use bytes::Bytes;

use super::Trouble;
use super::layout::parse;
use super::source::{Found, Source};
use crate::client::Fetched;
use crate::clock::Timestamp;
use crate::config::Limits;
use crate::gate::{Finding, Outcome, Shape};
use crate::oci::{Digest, EvidenceTag, Manifest, Reference, RepositoryName};
use crate::trust::Trust;
use crate::verify::{
    Candidate, Evidence, LAYERS_TOGETHER, MAX_SIGNATURES, SignatureVerifier, Verifier as _, candidate, check_evidence,
};

/// How many manifests are looked at for each piece of evidence that is considered: referrers may be anything.
const LOOKED_AT: usize = 4;

/// Everything that evidence is judged by, but the digest that it is about.
#[derive(Debug)]
pub(super) struct Gather<'a> {
    pub(super) source: &'a Source,
    pub(super) repository: &'a RepositoryName,
    pub(super) trust: &'a Trust,
    pub(super) data_types: &'a [String],
    pub(super) limits: &'a Limits,
    pub(super) at: Timestamp,
}

/// What the evidence about one digest shows.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) findings: Vec<Finding>,
    /// Whether there is more than is considered.
    pub(super) more: bool,
}

/// What a piece turned out to be.
enum Read {
    /// Evidence about the digest, with its layers.
    Evidence(Shape, Box<Manifest>, Vec<Bytes>),
    /// Evidence that counts for nothing.
    Nothing(Shape, Outcome),
    /// Something else.
    Other,
}

impl Gather<'_> {
    /// What the evidence about `subject` shows.
    pub(super) async fn about(&self, subject: &Digest) -> Result<Gathered, Trouble> {
        let considered = self.limits.evidence_considered;
        let looked_at = considered.saturating_mul(LOOKED_AT);
        let (pieces, mut more) = self.source.pieces(self.repository, subject, looked_at).await?;
        let reference = Reference::Digest(*subject);
        let stored = self.source.manifest(self.repository, &reference).await?;
        let mut findings = Vec::new();
        let mut count = 0_usize;
        for piece in pieces {
            let fetched = match piece.manifest {
                Some(fetched) => Some(fetched),
                None => self.source.manifest(self.repository, &Reference::Digest(piece.digest)).await?,
            };
            let read = self.read(subject, piece.tag.as_ref(), fetched.as_ref()).await?;
            if matches!(read, Read::Other) {
                continue;
            }
            if count >= considered {
                more = true;
                break;
            }
            count = count.saturating_add(1);
            findings.extend(self.judge(subject, stored.as_ref(), piece.digest, read));
        }
        Ok(Gathered { findings, more })
    }

    fn judge(&self, subject: &Digest, stored: Option<&Fetched>, digest: Digest, read: Read) -> Vec<Finding> {
        let (shape, manifest, layers) = match read {
            Read::Evidence(shape, manifest, layers) => (shape, manifest, layers),
            Read::Nothing(shape, outcome) => return vec![Finding { evidence: digest, shape, outcome }],
            Read::Other => return Vec::new(),
        };
        let evidence = Evidence {
            digest,
            shape,
            manifest: &manifest,
            layers: &layers,
            subject: *subject,
            subject_bytes: stored.map(|stored| &stored.bytes),
            subject_media_type: stored.map(|stored| stored.media_type.as_str()),
            repository: self.repository,
        };
        SignatureVerifier.verify(&evidence, self.trust, self.at)
    }

    /// What was found under `tag`, or is listed; none is that it is not there.
    async fn read(
        &self,
        subject: &Digest,
        tag: Option<&EvidenceTag>,
        fetched: Option<&Fetched>,
    ) -> Result<Read, Trouble> {
        let shape = match tag {
            Some(EvidenceTag::Attestation(_)) => Shape::CosignAttestation,
            Some(_) => Shape::CosignSignature,
            None => Shape::ReferrersList,
        };
        let Some(fetched) = fetched else {
            return Ok(nothing(shape, "a manifest that is listed to be there", "none"));
        };
        let manifest = match parse(&fetched.bytes, &fetched.media_type) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(nothing(shape, "a manifest", error.to_string())),
        };
        let Candidate::Evidence(shape) = candidate(&manifest, tag, self.data_types) else {
            return Ok(Read::Other);
        };
        let layers = match self.layers(&manifest).await? {
            Ok(layers) => layers,
            Err((expected, found)) => return Ok(nothing(shape, expected, found)),
        };
        Ok(match check_evidence(shape, &manifest, &layers, tag) {
            Ok(about) if about == *subject => Read::Evidence(shape, Box::new(manifest), layers),
            Ok(about) => nothing(shape, format!("evidence about {subject}"), format!("evidence about {about}")),
            Err(falsehood) => nothing(shape, falsehood.expected, falsehood.found),
        })
    }

    /// The bytes of every layer, bounded as in the gate, or what was expected and what was found.
    async fn layers(&self, manifest: &Manifest) -> Result<Result<Vec<Bytes>, (String, String)>, Trouble> {
        let limit = self.limits.evidence_blob_bytes;
        if manifest.layers.len() > MAX_SIGNATURES {
            let found = manifest.layers.len().to_string();
            return Ok(Err((format!("at most {MAX_SIGNATURES} signatures"), found)));
        }
        let together = manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
        let largest = manifest.layers.iter().map(|layer| layer.size).max().unwrap_or(0);
        if largest > limit || together > limit.saturating_mul(LAYERS_TOGETHER) {
            let expected = format!("layers of at most {limit} bytes, and {LAYERS_TOGETHER} times as many together");
            return Ok(Err((expected, format!("one of {largest} bytes, and {together} together"))));
        }
        let mut read: HashMap<Digest, Bytes> = HashMap::new();
        let mut layers = Vec::with_capacity(manifest.layers.len());
        for layer in &manifest.layers {
            let bytes = match read.get(&layer.digest) {
                Some(bytes) => bytes.clone(),
                None => match self.source.blob(self.repository, &layer.digest, layer.size).await? {
                    Found::Bytes(bytes) => bytes,
                    Found::Absent => return Ok(Err((format!("the layer {}", layer.digest), "none".to_owned()))),
                    Found::TooLarge => {
                        return Ok(Err((format!("a layer of {} bytes", layer.size), "more".to_owned())));
                    }
                },
            };
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if size != layer.size {
                return Ok(Err((format!("a layer of {} bytes", layer.size), format!("{size} bytes"))));
            }
            read.insert(layer.digest, bytes.clone());
            layers.push(bytes);
        }
        Ok(Ok(layers))
    }
}

fn nothing(shape: Shape, expected: impl Into<String>, found: impl Into<String>) -> Read {
    Read::Nothing(shape, Outcome::nothing(expected, found))
}
