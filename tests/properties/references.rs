//! References: of a path, of people, and the tags that are kept for evidence.

use hallmark::client::ImageReference;
use hallmark::oci::{EvidenceTag, Reference, Tag};

/// A reference is displayed as something that means the same, and a tag of evidence names its one subject.
pub fn hold(bytes: &[u8]) -> bool {
    let Some(text) = super::text(bytes) else { return false };
    let of_a_path = match text.parse::<Reference>() {
        Ok(reference) => {
            assert_eq!(reference.to_string(), text);
            assert_eq!(matches!(reference, Reference::Digest(_)), text.contains(':'));
            true
        }
        Err(error) => {
            super::is_brief(&error, b"");
            false
        }
    };
    if let Ok(tag) = text.parse::<Tag>() {
        assert!((1..=128).contains(&text.len()) && text.is_ascii() && !text.starts_with(['.', '-']));
        if let Some(kept) = tag.evidence() {
            assert_eq!(spelled(&kept), text);
        }
    }
    let of_people = match text.parse::<ImageReference>() {
        Ok(reference) => {
            assert_eq!(reference.registry, reference.registry.to_ascii_lowercase());
            assert_eq!(reference.to_string().parse(), Ok(reference));
            true
        }
        Err(error) => {
            super::is_brief(&error, b"");
            false
        }
    };
    of_a_path || of_people
}

fn spelled(kept: &EvidenceTag) -> String {
    let suffix = match kept {
        EvidenceTag::Referrers(_) => "",
        EvidenceTag::Signature(_) => ".sig",
        EvidenceTag::Attestation(_) => ".att",
        EvidenceTag::Sbom(_) => ".sbom",
    };
    format!("{}{suffix}", kept.subject().to_string().replace(':', "-"))
}
