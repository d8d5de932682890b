//! notation's signatures, by the Notary Project's
//! [signature specification](https://github.com/notaryproject/specifications/blob/main/specs/signature-specification.md)
//! and [trust policy](https://github.com/notaryproject/specifications/blob/main/specs/trust-store-trust-policy.md).
//!
//! Integrity comes first and needs no trust: the envelope parses, it keeps the rules of its signing scheme, its chain
//! keeps the certificate profile, and the leaf's key made the signature. Only then is a statement of the trust policy
//! asked. Under `notary.x509.signingAuthority` the time of signing is the signer's word: the chain is checked at that
//! time, as the specification says; that trust is what a store of the kind `signingAuthority` means, and nothing that
//! is revoked by time is ever judged by it.

mod algorithm;
mod chain;
mod cose;
mod envelope;
mod judge;
mod jws;
mod payload;
#[cfg(test)]
mod tests;

pub(super) use judge::verify;

use super::Falsehood;
use super::candidate::{NOTATION_COSE, NOTATION_JWS};
use crate::oci::Descriptor;
use envelope::Envelope;
use payload::Payload;

/// The envelope in a layer of `media_type`.
fn parse(media_type: &str, bytes: &[u8]) -> Result<Envelope, Falsehood> {
    match media_type {
        NOTATION_JWS => jws::parse(bytes),
        NOTATION_COSE => cose::parse(bytes),
        other => Err(Falsehood::new("a notation envelope", format!("a layer of {other:?}"))),
    }
}

/// Whether `bytes` are an envelope of `media_type` about `subject`.
///
/// What a newer version may read is let be: other schemes, algorithms, critical headers and versions of the payload.
pub(super) fn check(media_type: &str, bytes: &[u8], subject: &Descriptor) -> Result<(), Falsehood> {
    let envelope = parse(media_type, bytes)?;
    if payload::is_newer(&envelope.headers.content_type) {
        return Ok(());
    }
    let payload = Payload::parse(&envelope)?;
    payload.is_about(&subject.digest, Some(&subject.media_type), Some(subject.size))
}
