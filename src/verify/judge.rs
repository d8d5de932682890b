//! What evidence shows under a trust store.

use bytes::Bytes;

use super::cosign::bundle::{Bundle, Content, Known, Material};
use super::cosign::log::{LogEntry, Logged};
use super::cosign::simple_signing;
use super::falsehood::brief;
use super::keys::Keys;
use super::notation;
use super::payload::MAX_SIGNATURES;
use crate::clock::Timestamp;
use crate::gate::{Finding, Outcome, Shape};
use crate::oci::{Digest, Manifest, RepositoryName};
use crate::trust::Trust;

/// The predicate type of a signature in a bundle; every other is an attestation and never a signature.
const SIGNATURE_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// One piece of evidence about `subject`, with its bytes.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The evidence manifest's digest.
    pub digest: Digest,
    /// Its shape.
    pub shape: Shape,
    /// The evidence manifest.
    pub manifest: &'a Manifest,
    /// Its layers, in order.
    pub layers: &'a [Bytes],
    /// What it is about.
    pub subject: Digest,
    /// The subject's bytes, when they are at hand.
    pub subject_bytes: Option<&'a Bytes>,
    /// The media type under which the subject is stored, when it is at hand.
    pub subject_media_type: Option<&'a str>,
    /// Where it is.
    pub repository: &'a RepositoryName,
}

/// Judges evidence: one finding for each signature.
pub trait Verifier: Send + Sync + 'static {
    /// What `evidence` shows under `trust` at the time `at`. Pure: the same answer for the same parameters.
    ///
    /// There is always at least one finding; whatever can't be judged is one that counts for nothing. A finding that
    /// is verified is about `evidence.subject`, by signers that apply to `evidence.repository`.
    fn verify(&self, evidence: &Evidence<'_>, trust: &Trust, at: Timestamp) -> Vec<Finding>;
}

/// Judges cosign's key signatures and notation's signatures; every other shape is recognised and counts for nothing yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignatureVerifier;

impl Verifier for SignatureVerifier {
    fn verify(&self, evidence: &Evidence<'_>, trust: &Trust, at: Timestamp) -> Vec<Finding> {
        let keys = Keys::new(trust, evidence.repository);
        let outcomes = match evidence.shape {
            Shape::CosignSignature => signatures(evidence, &keys),
            Shape::SigstoreBundle => vec![bundle(evidence, &keys)],
            Shape::CosignAttestation => vec![nothing(&keys, "an attestation, which is not judged yet")],
            Shape::NotationSignature => vec![notation::verify(evidence, trust, at)],
            Shape::ReferrersList => vec![nothing(&keys, "a list of referrers")],
        };
        let finding = |outcome| Finding { evidence: evidence.digest, shape: evidence.shape, outcome };
        outcomes.into_iter().map(told_in_brief).map(finding).collect()
    }
}

fn told_in_brief(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Nothing { expected, found, again_at } => {
            Outcome::Nothing { expected: brief(expected), found: brief(found), again_at }
        }
        verified @ Outcome::Verified { .. } => verified,
    }
}

fn nothing(keys: &Keys<'_>, found: impl Into<String>) -> Outcome {
    Outcome::nothing(keys.expected(), found)
}

/// Each layer is a signature of its own: one that is junk hides no other.
fn signatures(evidence: &Evidence<'_>, keys: &Keys<'_>) -> Vec<Outcome> {
    let layers = evidence.manifest.layers.iter().zip(evidence.layers).take(MAX_SIGNATURES);
    let outcomes: Vec<_> = layers
        .map(|(layer, bytes)| match simple_signing::parse(layer, bytes) {
            Ok(signature) => simple_signature(evidence, keys, bytes, &signature),
            Err(falsehood) => Outcome::nothing(falsehood.expected, falsehood.found),
        })
        .collect();
    if outcomes.is_empty() { vec![nothing(keys, "no layer")] } else { outcomes }
}

fn simple_signature(
    evidence: &Evidence<'_>,
    keys: &Keys<'_>,
    payload: &[u8],
    signature: &simple_signing::SignedPayload<'_>,
) -> Outcome {
    if signature.subject != evidence.subject {
        let expected = format!("a signature of {}", evidence.subject);
        return Outcome::nothing(expected, format!("a signature of {}", signature.subject));
    }
    let logged = Logged { message: payload, payload: None, signature: &signature.signature };
    // A log entry that does not parse is as foreign as one about something else.
    let foreign = |text| LogEntry::from_annotation(text).is_none_or(|entry| entry.is_about_another(&logged));
    if signature.log_entry.is_some_and(foreign) {
        return nothing(keys, "a log entry of another signature");
    }
    match keys.verify(payload, &signature.signature) {
        None if signature.keyless => nothing(keys, "a keyless signature, which is not judged yet"),
        outcome => outcome.unwrap_or_else(|| keys.unknown(payload, &signature.signature)),
    }
}

fn bundle(evidence: &Evidence<'_>, keys: &Keys<'_>) -> Outcome {
    let ([layer], [bytes]) = (evidence.manifest.layers.as_slice(), evidence.layers) else {
        return nothing(keys, format!("a bundle manifest of {} layers", evidence.layers.len()));
    };
    if Digest::of(layer.digest.algorithm(), bytes) != layer.digest {
        return nothing(keys, "a layer that does not hash to its digest");
    }
    match Bundle::parse(bytes) {
        Ok(Bundle::Known(known)) => known_bundle(evidence, keys, &known),
        Ok(Bundle::Newer(version)) => nothing(keys, format!("a bundle of a version that is not read: {version:?}")),
        Err(falsehood) => Outcome::nothing(falsehood.expected, falsehood.found),
    }
}

fn known_bundle(evidence: &Evidence<'_>, keys: &Keys<'_>, known: &Known) -> Outcome {
    let Content::Envelope(envelope) = &known.content else {
        return nothing(keys, "a message signature, which is not judged yet");
    };
    let statement = match envelope.statement() {
        Ok(statement) => statement,
        Err(falsehood) => return Outcome::nothing(falsehood.expected, falsehood.found),
    };
    if !statement.names(&evidence.subject) {
        let expected = format!("a statement about {}", evidence.subject);
        return Outcome::nothing(expected, "a statement about something else");
    }
    if statement.predicate_type() != SIGNATURE_PREDICATE {
        let found = format!("an attestation of type {}", statement.predicate_type());
        return Outcome::nothing("a signature", found);
    }
    if known.material == Material::Certificate {
        return nothing(keys, "a keyless signature, which is not judged yet");
    }
    let [signature] = envelope.signatures() else {
        return nothing(keys, format!("an envelope of {} signatures", envelope.signatures().len()));
    };
    let message = envelope.signed_bytes();
    let logged = Logged { message: &message, payload: Some(envelope.payload()), signature };
    if known.log.iter().any(|entry| entry.is_about_another(&logged)) {
        return nothing(keys, "a log entry of another signature");
    }
    keys.verify(&message, signature).unwrap_or_else(|| keys.unknown(&message, signature))
}
