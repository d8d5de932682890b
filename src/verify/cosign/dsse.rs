//! [DSSE](https://github.com/secure-systems-lab/dsse) envelopes that hold in-toto statements.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::oci::{Digest, media_type};
use crate::verify::{Falsehood, encoding};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload: String,
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

/// The `keyid` is left aside: it is not signed, so it says nothing.
#[derive(Deserialize)]
struct WrittenSignature {
    sig: String,
}

/// An envelope, decoded.
#[derive(Deserialize)]
#[serde(try_from = "Written")]
pub(in crate::verify) struct Envelope {
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

impl TryFrom<Written> for Envelope {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        if written.payload_type != media_type::IN_TOTO {
            return Err("expected the payload type application/vnd.in-toto+json");
        }
        let payload = encoding::base64(&written.payload).ok_or("expected a payload in base64")?;
        let signatures: Option<Vec<_>> = written.signatures.iter().map(|entry| encoding::base64(&entry.sig)).collect();
        let signatures = signatures.filter(|all| !all.is_empty() && all.iter().all(|one| !one.is_empty()));
        Ok(Self { payload, signatures: signatures.ok_or("expected signatures in base64")? })
    }
}

impl Envelope {
    /// Parses an envelope that is a layer of its own.
    pub(in crate::verify) fn parse(bytes: &[u8]) -> Result<Self, Falsehood> {
        encoding::json(bytes, "a DSSE envelope")
    }

    /// The payload, decoded.
    pub(in crate::verify) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, decoded; at least one.
    pub(in crate::verify) fn signatures(&self) -> &[Vec<u8>] {
        &self.signatures
    }

    /// What is signed: the [pre-authentication encoding](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md).
    pub(in crate::verify) fn signed_bytes(&self) -> Vec<u8> {
        let kind = media_type::IN_TOTO;
        let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), self.payload.len()).into_bytes();
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The statement inside.
    pub(in crate::verify) fn statement(&self) -> Result<Statement, Falsehood> {
        let statement: Statement = encoding::json(&self.payload, "an in-toto statement")?;
        if statement.kind.starts_with("https://in-toto.io/Statement/") {
            return Ok(statement);
        }
        Err(Falsehood::new("an in-toto statement", format!("a statement of type {:?}", statement.kind)))
    }
}

/// An [in-toto statement](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md), as far as it is read.
#[derive(Deserialize)]
pub(in crate::verify) struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// What the statement says about its subjects.
    pub(in crate::verify) fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Whether a subject is `digest`; names and annotations say nothing.
    pub(in crate::verify) fn names(&self, digest: &Digest) -> bool {
        let hex = digest.hex();
        let named = |subject: &Subject| subject.digest.get(digest.algorithm().as_str()) == Some(&hex);
        self.subject.iter().any(named)
    }

    /// The first subject whose digest is one that this registry knows.
    pub(in crate::verify) fn first_subject(&self) -> Option<Digest> {
        let digests = self.subject.iter().flat_map(|subject| &subject.digest);
        digests.into_iter().find_map(|(algorithm, hex)| format!("{algorithm}:{hex}").parse().ok())
    }
}
