//! The payload: the descriptor of what is signed.

use serde::Deserialize;

use super::envelope::Envelope;
use crate::oci::Digest;
use crate::verify::{Falsehood, encoding};

const CONTENT_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
/// How the content types of all versions begin.
const ANY_VERSION: &str = "application/vnd.cncf.notary.payload.";

/// Whether a later version of the specification may know payloads of this type.
pub(super) fn is_newer(content_type: &str) -> bool {
    content_type.starts_with(ANY_VERSION) && content_type != CONTENT_TYPE
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    target_artifact: Target,
}

/// Annotations are the user's metadata, and say nothing here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    media_type: String,
    digest: String,
    size: u64,
}

/// What an envelope is about.
pub(super) struct Payload(Target);

impl Payload {
    /// Reads the payload of an envelope, whose signature need not be verified yet.
    pub(super) fn parse(envelope: &Envelope) -> Result<Self, Falsehood> {
        let content_type = &envelope.headers.content_type;
        if content_type != CONTENT_TYPE {
            return Err(Falsehood::new(format!("a payload of {CONTENT_TYPE}"), format!("one of {content_type:?}")));
        }
        let written: Written = encoding::json(&envelope.payload, "a notation payload")?;
        Ok(Self(written.target_artifact))
    }

    /// Whether it is about this digest, and about this media type and size where they are known.
    pub(super) fn is_about(
        &self,
        digest: &Digest,
        media_type: Option<&str>,
        size: Option<u64>,
    ) -> Result<(), Falsehood> {
        let Self(target) = self;
        if target.digest != digest.to_string() {
            let found = format!("a signature of {}", target.digest);
            return Err(Falsehood::new(format!("a signature of {digest}"), found));
        }
        if let Some(media_type) = media_type.filter(|media_type| *media_type != target.media_type) {
            let found = format!("a signature of it as {:?}", target.media_type);
            return Err(Falsehood::new(format!("a signature of {digest} as {media_type:?}"), found));
        }
        if let Some(size) = size.filter(|size| *size != target.size) {
            let found = format!("a signature of it with {}", target.size);
            return Err(Falsehood::new(format!("a signature of {digest} with {size} bytes"), found));
        }
        Ok(())
    }
}
