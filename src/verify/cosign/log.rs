//! Entries of transparency logs, as far as a key signature needs them: are they about this very signature?
//!
//! Whether the log really holds the entry is not judged here, so an entry proves nothing; but one that is about
//! another signature shows that the parts were put together from several sources (CVE-2022-36056).

use serde::Deserialize;
use serde_json::Value;

use crate::oci::Digest;
use crate::verify::encoding;

/// One entry, as a bundle carries it.
#[derive(Deserialize)]
pub(in crate::verify) struct LogEntry {
    #[serde(default, rename = "canonicalizedBody")]
    body: String,
}

/// The entry in the annotation of an older signature.
#[derive(Deserialize)]
struct Annotation {
    #[serde(rename = "Payload")]
    payload: AnnotationPayload,
}

#[derive(Deserialize)]
struct AnnotationPayload {
    body: String,
}

/// What an entry must be about.
pub(in crate::verify) struct Logged<'a> {
    /// The bytes that were signed.
    pub(in crate::verify) message: &'a [u8],
    /// The payload of the envelope, if they are one's.
    pub(in crate::verify) payload: Option<&'a [u8]>,
    /// The signature over them.
    pub(in crate::verify) signature: &'a [u8],
}

impl LogEntry {
    /// The entry in the annotation of an older signature; nothing if it is not one.
    pub(in crate::verify) fn from_annotation(text: &str) -> Option<Self> {
        let annotation: Annotation = encoding::json(text.as_bytes(), "a log entry").ok()?;
        Some(Self { body: annotation.payload.body })
    }

    /// Whether the entry is about another signature or other bytes. Kinds of entry that are not read are not.
    pub(in crate::verify) fn is_about_another(&self, logged: &Logged<'_>) -> bool {
        let body = encoding::base64(&self.body).and_then(|body| encoding::json::<Value>(&body, "a log entry").ok());
        let Some(body) = body else { return true };
        let at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let kind = (body.get("kind").and_then(Value::as_str), body.get("apiVersion").and_then(Value::as_str));
        match kind {
            (Some("hashedrekord"), Some("0.0.1")) => {
                !same_bytes(at("/spec/signature/content"), logged.signature)
                    || !at("/spec/data/hash/value").is_some_and(|hex| hash_is(hex, logged.message))
            }
            (Some("hashedrekord"), Some("0.0.2")) => {
                !same_bytes(at("/spec/hashedRekordV002/signature/content"), logged.signature)
                    || !same_hash(at("/spec/hashedRekordV002/data/digest"), logged.message)
            }
            (Some("dsse"), Some("0.0.1")) => {
                !same_bytes(at("/spec/signatures/0/signature"), logged.signature)
                    || !at("/spec/payloadHash/value").is_some_and(|hex| hash_is(hex, logged.envelope_payload()))
            }
            (Some("dsse"), Some("0.0.2")) => {
                !same_bytes(at("/spec/dsseV002/signatures/0/content"), logged.signature)
                    || !same_hash(at("/spec/dsseV002/payloadHash/digest"), logged.envelope_payload())
            }
            _ => false,
        }
    }
}

impl<'a> Logged<'a> {
    fn envelope_payload(&self) -> &'a [u8] {
        self.payload.unwrap_or_default()
    }
}

fn same_bytes(text: Option<&str>, bytes: &[u8]) -> bool {
    text.and_then(encoding::base64).is_some_and(|found| found == bytes)
}

/// Whether `hex` is a hash of `bytes`: SHA-256, or SHA-512 by its length. SHA-384 is not known here, so it is let be.
fn hash_is(hex: &str, bytes: &[u8]) -> bool {
    match hex.len() {
        64 => Digest::sha256(bytes).hex() == hex,
        96 => true,
        128 => Digest::of(crate::oci::Algorithm::Sha512, bytes).hex() == hex,
        _ => false,
    }
}

fn same_hash(text: Option<&str>, bytes: &[u8]) -> bool {
    let Some(found) = text.and_then(encoding::base64) else { return false };
    match Digest::from_bytes(&found) {
        Some(digest) => digest == Digest::of(digest.algorithm(), bytes),
        None => found.len() == 48,
    }
}
