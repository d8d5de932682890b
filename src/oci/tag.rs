//! Tags, and the tags that clients keep for evidence.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Digest;

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

/// A text that is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a tag of [a-zA-Z0-9_] then at most 127 of [a-zA-Z0-9._-]")]
pub struct TagError;

/// A tag that holds evidence or data about the digest in its name; nothing else resolves to such content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceTag {
    /// `sha256-<hex>`: a list of referrers, by clients of registries without the referrers API.
    Referrers(Digest),
    /// `sha256-<hex>.sig`
    Signature(Digest),
    /// `sha256-<hex>.att`
    Attestation(Digest),
    /// `sha256-<hex>.sbom`
    Sbom(Digest),
}

impl EvidenceTag {
    /// The digest in the tag's name.
    pub const fn subject(&self) -> Digest {
        match self {
            Self::Referrers(digest) | Self::Signature(digest) | Self::Attestation(digest) | Self::Sbom(digest) => {
                *digest
            }
        }
    }
}

impl Tag {
    /// The tag as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the tag holds by its name, if it is one of those kept for evidence.
    pub fn evidence(&self) -> Option<EvidenceTag> {
        let (algorithm, rest) = self.0.split_once('-')?;
        let (hex, suffix) = match rest.split_once('.') {
            Some((hex, suffix)) => (hex, Some(suffix)),
            None => (rest, None),
        };
        let digest = format!("{algorithm}:{hex}").parse().ok()?;
        match suffix {
            None => Some(EvidenceTag::Referrers(digest)),
            Some("sig") => Some(EvidenceTag::Signature(digest)),
            Some("att") => Some(EvidenceTag::Attestation(digest)),
            Some("sbom") => Some(EvidenceTag::Sbom(digest)),
            Some(_) => None,
        }
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if first && rest && text.len() <= 128 { Ok(Self(text.into())) } else { Err(TagError) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_tags_name_their_subject() {
        let digest = Digest::sha256(b"x");
        let tag = |suffix: &str| format!("sha256-{}{suffix}", digest.hex()).parse::<Tag>().unwrap();
        assert_eq!(tag("").evidence(), Some(EvidenceTag::Referrers(digest)));
        assert_eq!(tag(".sig").evidence(), Some(EvidenceTag::Signature(digest)));
        assert_eq!(tag(".att").evidence(), Some(EvidenceTag::Attestation(digest)));
        assert_eq!(tag(".sbom").evidence(), Some(EvidenceTag::Sbom(digest)));
        assert_eq!(tag(".sigx").evidence(), None);
        assert_eq!("sha256-12.sig".parse::<Tag>().unwrap().evidence(), None);
    }

    #[test]
    fn other_tags_are_refused() {
        for tag in ["", ".a", "-a", "a/b", "a b", "a:b", "é", &"a".repeat(129)] {
            assert_eq!(tag.parse::<Tag>(), Err(TagError), "{tag}");
        }
    }
}
