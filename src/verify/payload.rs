//! Whether evidence is what it looks like, and about which digest.

use bytes::Bytes;

use super::cosign::bundle::{Bundle, Content};
use super::cosign::dsse::Envelope;
use super::cosign::simple_signing;
use super::{Falsehood, notation};
use crate::gate::Shape;
use crate::oci::{Algorithm, Digest, EvidenceTag, Manifest, media_type};

/// How many signatures one manifest may carry: endless ones would cost endless checks (CVE-2023-46737).
pub const MAX_SIGNATURES: usize = 128;
/// How many of the largest layers all layers of one piece of evidence may be together.
pub const LAYERS_TOGETHER: u64 = 8;

/// Parses every layer as the payload of `shape`: the digest that it is about, or what is false.
///
/// `layers` are the contents of `manifest.layers` in order; `tag` is the evidence tag that it is pushed under.
pub fn check_evidence(
    shape: Shape,
    manifest: &Manifest,
    layers: &[Bytes],
    tag: Option<&EvidenceTag>,
) -> Result<Digest, Falsehood> {
    if manifest.layers.is_empty() || manifest.layers.len() != layers.len() {
        return Err(Falsehood::new("a manifest with layers", "none"));
    }
    if layers.len() > MAX_SIGNATURES {
        return Err(Falsehood::new(format!("at most {MAX_SIGNATURES} signatures"), layers.len().to_string()));
    }
    match shape {
        Shape::CosignSignature => check_signature(manifest, layers, tag),
        Shape::CosignAttestation => check_attestation(manifest, layers, tag),
        Shape::SigstoreBundle => check_bundle(manifest, layers, tag),
        Shape::NotationSignature => check_notation(manifest, layers, tag),
        Shape::ReferrersList => Err(Falsehood::new("an index of referrers", "a manifest with layers")),
    }
}

/// The digest that the tag or the `subject` says the evidence is about; both must say the same.
pub(super) fn claimed_subject(manifest: &Manifest, tag: Option<&EvidenceTag>) -> Result<Option<Digest>, Falsehood> {
    let subject = manifest.subject.as_ref().map(|subject| subject.digest);
    match (tag.map(EvidenceTag::subject), subject) {
        (Some(tag), Some(subject)) if tag != subject => {
            Err(Falsehood::new(format!("the subject {tag}, as the tag says"), subject.to_string()))
        }
        (tag, subject) => Ok(tag.or(subject)),
    }
}

fn check_signature(manifest: &Manifest, layers: &[Bytes], tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    let mut expected = claimed_subject(manifest, tag)?;
    for (layer, bytes) in manifest.layers.iter().zip(layers) {
        let found = simple_signing::parse(layer, bytes)?.subject;
        let expected = *expected.get_or_insert(found);
        if found != expected {
            return Err(Falsehood::new(format!("a signature of {expected}"), format!("a signature of {found}")));
        }
    }
    expected.ok_or_else(|| Falsehood::new("a signature", "none"))
}

fn check_attestation(manifest: &Manifest, layers: &[Bytes], tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    let mut expected = claimed_subject(manifest, tag)?;
    for (layer, bytes) in manifest.layers.iter().zip(layers) {
        if layer.media_type != media_type::DSSE {
            return Err(Falsehood::new("layers of DSSE envelopes", format!("a layer of {:?}", layer.media_type)));
        }
        let statement = Envelope::parse(bytes)?.statement()?;
        let expected = match expected {
            Some(digest) => digest,
            None => *expected
                .insert(statement.first_subject().ok_or_else(|| Falsehood::new("a statement about a digest", "none"))?),
        };
        if !statement.names(&expected) {
            return Err(Falsehood::new(format!("a statement about {expected}"), "a statement about something else"));
        }
    }
    expected.ok_or_else(|| Falsehood::new("an attestation", "none"))
}

fn check_bundle(manifest: &Manifest, layers: &[Bytes], tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    let [bytes] = layers else {
        return Err(Falsehood::new("exactly one layer, a Sigstore bundle", format!("{} layers", layers.len())));
    };
    let Some(subject) = claimed_subject(manifest, tag)? else {
        return Err(Falsehood::new("a bundle with a subject", "none"));
    };
    let known = match Bundle::parse(bytes)? {
        Bundle::Newer(_) => return Ok(subject),
        Bundle::Known(known) => known,
    };
    match known.content {
        Content::Envelope(envelope) if envelope.statement()?.names(&subject) => Ok(subject),
        Content::Envelope(_) => {
            Err(Falsehood::new(format!("a statement about {subject}"), "a statement about something else"))
        }
        Content::Message(Some(sha256)) if subject.algorithm() == Algorithm::Sha256 && sha256 != subject.as_bytes() => {
            Err(Falsehood::new(format!("a signature of {subject}"), "a signature of something else"))
        }
        Content::Message(_) => Ok(subject),
    }
}

fn check_notation(manifest: &Manifest, layers: &[Bytes], tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    let ([layer], [bytes]) = (manifest.layers.as_slice(), layers) else {
        return Err(Falsehood::new("exactly one layer, a notation envelope", format!("{} layers", layers.len())));
    };
    let claimed = claimed_subject(manifest, tag)?;
    let (Some(claimed), Some(subject)) = (claimed, &manifest.subject) else {
        return Err(Falsehood::new("a notation signature with a subject", "none"));
    };
    notation::check(&layer.media_type, bytes, subject)?;
    Ok(claimed)
}
