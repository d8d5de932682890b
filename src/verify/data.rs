//! Whether data is text that nobody can run.

use bytes::Bytes;

use super::Falsehood;
use super::payload::claimed_subject;
use crate::oci::{Descriptor, Digest, EvidenceTag, Manifest, json};

/// What `cosign attach sbom` writes under the tag `.sbom`.
const SBOM_TYPES: [&str; 6] = [
    "text/spdx",
    "text/spdx+json",
    "text/spdx+xml",
    "application/vnd.cyclonedx+json",
    "application/vnd.cyclonedx+xml",
    "application/vnd.syft+json",
];

/// Other types of text; what ends in `+json` is JSON and needs no entry.
const TEXT_TYPES: [&str; 6] = [
    "text/spdx",
    "text/spdx+xml",
    "text/plain",
    "application/vnd.cyclonedx",
    "application/vnd.cyclonedx+xml",
    "application/xml",
];

/// How deep JSON data may nest.
const MAX_DEPTH: usize = 100;

/// Parses every layer as text of its kind that nobody can run: the digest that it is about, or what is false.
///
/// `layers` are the contents of `manifest.layers` in order. Under the tag `.sbom`, the image config that cosign
/// generates is tolerated: with layers of text it runs nothing.
pub fn check_data(manifest: &Manifest, layers: &[Bytes], tag: Option<&EvidenceTag>) -> Result<Digest, Falsehood> {
    if manifest.layers.is_empty() || manifest.layers.len() != layers.len() {
        return Err(Falsehood::new("data with layers", "none"));
    }
    let under_sbom = matches!(tag, Some(EvidenceTag::Sbom(_)));
    if !under_sbom && !manifest.has_empty_config() {
        return Err(Falsehood::new("data with an empty config", "another config"));
    }
    for (layer, bytes) in manifest.layers.iter().zip(layers) {
        check_layer(layer, bytes, under_sbom)?;
    }
    claimed_subject(manifest, tag)?.ok_or_else(|| Falsehood::new("data with a subject", "none"))
}

fn is_json(kind: &str) -> bool {
    kind.ends_with("+json") || kind == "application/json"
}

/// Whether a layer of this media type claims to be text.
pub(super) fn is_text(kind: &str) -> bool {
    is_json(kind) || TEXT_TYPES.contains(&kind)
}

fn check_layer(layer: &Descriptor, bytes: &[u8], under_sbom: bool) -> Result<(), Falsehood> {
    let kind = layer.media_type.as_str();
    if under_sbom && !SBOM_TYPES.contains(&kind) {
        return Err(Falsehood::new("layers of an SBOM", format!("a layer of {kind:?}")));
    }
    if !is_text(kind) {
        return Err(Falsehood::new("layers of JSON or text", format!("a layer of {kind:?}")));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_utf8| Falsehood::new(format!("text of {kind}"), "bytes that are not UTF-8"))?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(Falsehood::new(format!("text of {kind}"), "control characters"));
    }
    if is_json(kind)
        && let Err(error) = json::parse(bytes, MAX_DEPTH)
    {
        return Err(Falsehood::new(format!("JSON, as {kind} is"), error.to_string()));
    }
    Ok(())
}
