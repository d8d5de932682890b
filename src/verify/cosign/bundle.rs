//! [Sigstore bundles](https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto), versions 0.1 to 0.3.

use serde::Deserialize;
use serde_json::Value;

use super::dsse::Envelope;
use super::log::LogEntry;
use crate::oci::media_type;
use crate::verify::{Falsehood, encoding};

/// How many log entries a bundle may carry.
const MAX_LOG_ENTRIES: usize = 32;

const KNOWN: [&str; 6] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.1+json",
    "application/vnd.dev.sigstore.bundle.v0.2+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
];

/// A bundle, parsed.
pub(in crate::verify) enum Bundle {
    /// Of a version that is read.
    Known(Box<Known>),
    /// Of a version that is not, by its media type: kept, and counts for nothing.
    Newer(String),
}

/// A bundle of a version that is read.
pub(in crate::verify) struct Known {
    /// What the signature is to be checked with.
    pub(in crate::verify) material: Material,
    /// What is signed.
    pub(in crate::verify) content: Content,
    /// The entries of transparency logs.
    pub(in crate::verify) log: Vec<LogEntry>,
}

/// What the signature is to be checked with; the hint of a key is not signed, so it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum Material {
    /// A key that the verifier must know already.
    Key,
    /// A certificate, or what is in its place.
    Certificate,
}

/// What is signed.
pub(in crate::verify) enum Content {
    /// An envelope.
    Envelope(Envelope),
    /// The artifact's bytes themselves; its SHA-256, if the bundle gives it.
    Message(Option<Vec<u8>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    verification_material: WrittenMaterial,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMaterial {
    public_key: Option<Value>,
    certificate: Option<Value>,
    x509_certificate_chain: Option<Value>,
    #[serde(default)]
    tlog_entries: Vec<LogEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: Option<MessageDigest>,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

impl Bundle {
    /// Parses the one layer of a bundle's manifest.
    pub(in crate::verify) fn parse(bytes: &[u8]) -> Result<Self, Falsehood> {
        let value: Value = encoding::json(bytes, "a Sigstore bundle")?;
        let version = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        if !version.starts_with(media_type::SIGSTORE_BUNDLE) {
            return Err(Falsehood::new("a Sigstore bundle", format!("a document of media type {version:?}")));
        }
        if !KNOWN.contains(&version) {
            return Ok(Self::Newer(version.to_owned()));
        }
        let written: Written = serde_json::from_value(value)
            .map_err(|error| Falsehood::new("a Sigstore bundle", format!("JSON of another form: {error}")))?;
        written.check().map(|known| Self::Known(Box::new(known)))
    }
}

impl Written {
    fn check(self) -> Result<Known, Falsehood> {
        let material = &self.verification_material;
        let material = match (&material.public_key, &material.certificate, &material.x509_certificate_chain) {
            (Some(_), None, None) => Material::Key,
            (None, Some(_), None) | (None, None, Some(_)) => Material::Certificate,
            _ => return Err(Falsehood::new("a bundle with either a key or a certificate", "none or several")),
        };
        let log = self.verification_material.tlog_entries;
        if log.len() > MAX_LOG_ENTRIES {
            return Err(Falsehood::new(format!("at most {MAX_LOG_ENTRIES} log entries"), log.len().to_string()));
        }
        let content = match (self.dsse_envelope, self.message_signature) {
            (Some(envelope), None) => Content::Envelope(envelope),
            (None, Some(message)) => message.check()?,
            _ => return Err(Falsehood::new("a bundle with either an envelope or a signature", "none or both")),
        };
        Ok(Known { material, content, log })
    }
}

impl MessageSignature {
    fn check(self) -> Result<Content, Falsehood> {
        if encoding::base64(&self.signature).is_none_or(|signature| signature.is_empty()) {
            return Err(Falsehood::new("a message signature in base64", "none"));
        }
        let sha256 = self.message_digest.filter(|digest| digest.algorithm == "SHA2_256");
        let Some(digest) = sha256 else { return Ok(Content::Message(None)) };
        let bytes = encoding::base64(&digest.digest).filter(|bytes| bytes.len() == 32);
        bytes.map(|bytes| Content::Message(Some(bytes))).ok_or_else(|| Falsehood::new("a SHA-256 in base64", "none"))
    }
}
