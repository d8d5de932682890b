//! What a manifest looks like by itself.

use super::data::is_text;
use crate::gate::Shape;
use crate::oci::{EMPTY_CONFIG, EvidenceTag, Manifest, ManifestKind, media_type};

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

/// What `manifest`, pushed under `tag` or by digest, looks like; `data_types` are the artifact types of data.
///
/// Only the stored manifest and the tag speak, never an entry of a list or an annotation. The tags `.sig`, `.att` and
/// `.sbom` settle the shape by themselves: what does not fit is false rather than an object under such a tag.
/// The layers settle it otherwise, whatever the config claims: layers of another kind could be run.
pub fn candidate(manifest: &Manifest, tag: Option<&EvidenceTag>, data_types: &[String]) -> Candidate {
    match tag {
        Some(EvidenceTag::Signature(_)) => return Candidate::Evidence(Shape::CosignSignature),
        Some(EvidenceTag::Attestation(_)) => return Candidate::Evidence(Shape::CosignAttestation),
        Some(EvidenceTag::Sbom(_)) => return Candidate::Data,
        Some(EvidenceTag::Referrers(_)) if manifest.kind == ManifestKind::Index => return Candidate::ReferrersList,
        Some(EvidenceTag::Referrers(_)) | None => {}
    }
    if manifest.kind == ManifestKind::Index || manifest.layers.is_empty() {
        return Candidate::Object;
    }
    if let Some(shape) = shape_of_layers(manifest) {
        return Candidate::Evidence(shape);
    }
    let listed = |artifact: &str| data_types.iter().any(|data| data == artifact);
    let data = manifest.subject.is_some()
        && manifest.has_empty_config()
        && manifest.artifact_type.as_deref().is_some_and(listed)
        && manifest.layers.iter().all(|layer| is_text(&layer.media_type));
    if data { Candidate::Data } else { Candidate::Object }
}

/// The shape whose payload every layer claims to be.
fn shape_of_layers(manifest: &Manifest) -> Option<Shape> {
    let all = |is: fn(&str) -> bool| manifest.layers.iter().all(|layer| is(&layer.media_type));
    if all(|layer| layer == media_type::SIMPLE_SIGNING) {
        return Some(Shape::CosignSignature);
    }
    if all(|layer| layer == media_type::DSSE) {
        return Some(Shape::CosignAttestation);
    }
    // An image needs a config that lists its layers: what follows could hide one behind a type that sounds harmless.
    if manifest.subject.is_none() || !has_empty_content(manifest) {
        return None;
    }
    if all(|layer| layer.starts_with(media_type::SIGSTORE_BUNDLE)) {
        return Some(Shape::SigstoreBundle);
    }
    let notation = manifest.effective_artifact_type() == Some(media_type::NOTATION);
    (notation && all(is_notation_envelope)).then_some(Shape::NotationSignature)
}

/// Whether the config is `{}`, under whatever type: older clients write the type of the artifact there.
fn has_empty_content(manifest: &Manifest) -> bool {
    manifest.config.as_ref().is_some_and(|config| config.digest.to_string() == EMPTY_CONFIG)
}

pub(super) fn is_notation_envelope(layer: &str) -> bool {
    layer == NOTATION_JWS || layer == NOTATION_COSE
}

/// A notation envelope in JWS.
pub(super) const NOTATION_JWS: &str = "application/jose+json";
/// A notation envelope in COSE.
pub(super) const NOTATION_COSE: &str = "application/cose";
