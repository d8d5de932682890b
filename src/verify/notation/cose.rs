//! Envelopes in COSE: [RFC 9052](https://www.rfc-editor.org/rfc/rfc9052)'s `COSE_Sign1`, tagged.

use coset::cbor::Value;
use coset::{CoseSign1, ProtectedHeader, SignatureContext, TaggedCborSerializable as _, sig_structure_data};

use super::algorithm::Algorithm;
use super::envelope::{AUTHENTIC_SIGNING_TIME, EXPIRY, Envelope, Headers, SCHEME, SIGNING_TIME};
use crate::clock::Timestamp;
use crate::verify::Falsehood;

const WHAT: &str = "a notation envelope in COSE";

const ALGORITHM: i128 = 1;
const CRITICAL: i128 = 2;
const CONTENT_TYPE: i128 = 3;
const X5CHAIN: i128 = 33;
/// The tag of a time in seconds since the epoch.
const EPOCH_TIME: u64 = 1;
/// The most headers of one bucket: each is compared with every other, and an honest signer writes ten.
const MAX_HEADERS: usize = 64;

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, Falsehood> {
    let Value::Tag(CoseSign1::TAG, message) = read(bytes)? else {
        return Err(Falsehood::new(WHAT, "bytes that are no tagged COSE_Sign1"));
    };
    let Value::Array(parts) = *message else { return Err(Falsehood::new(WHAT, "a COSE_Sign1 that is no array")) };
    let Ok([Value::Bytes(protected), Value::Map(unprotected), Value::Bytes(payload), Value::Bytes(signature)]) =
        <[Value; 4]>::try_from(parts)
    else {
        return Err(Falsehood::new(WHAT, "a COSE_Sign1 without headers, payload and signature"));
    };
    let Value::Map(headers) = read(&protected)? else {
        return Err(Falsehood::new(WHAT, "protected headers that are no map"));
    };
    let (headers, mut unprotected) = (Fields::of(headers)?, Fields::of(unprotected)?);
    if headers.0.iter().any(|(label, _)| unprotected.0.iter().any(|(other, _)| other == label)) {
        return Err(Falsehood::new("each header once", "one that is both protected and unprotected"));
    }
    let chain = certificates(unprotected.take(&number(X5CHAIN)))?;
    let header = ProtectedHeader { original_data: Some(protected), ..ProtectedHeader::default() };
    let signed = sig_structure_data(SignatureContext::CoseSign1, header, None, &[], &payload);
    Envelope { headers: headers.read()?, payload, signed, signature, chain }.bounded()
}

/// Exactly one value, with nothing after it.
fn read(bytes: &[u8]) -> Result<Value, Falsehood> {
    let mut rest = bytes;
    let value =
        coset::cbor::de::from_reader(&mut rest).map_err(|_cbor| Falsehood::new(WHAT, "bytes that are no CBOR"))?;
    if rest.is_empty() { Ok(value) } else { Err(Falsehood::new(WHAT, "bytes after it")) }
}

fn number(label: i128) -> Value {
    coset::cbor::value::Integer::try_from(label).map_or(Value::Null, Value::Integer)
}

fn certificates(chain: Option<Value>) -> Result<Vec<Vec<u8>>, Falsehood> {
    let Some(Value::Array(list)) = chain else {
        return Err(Falsehood::new("a list of certificates in the unprotected header x5chain", "none"));
    };
    let bytes = |value| match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(Falsehood::new("certificates in x5chain", "something else")),
    };
    list.into_iter().map(bytes).collect()
}

/// The headers of one bucket, each label once.
struct Fields(Vec<(Value, Value)>);

impl Fields {
    fn of(fields: Vec<(Value, Value)>) -> Result<Self, Falsehood> {
        if fields.len() > MAX_HEADERS {
            return Err(Falsehood::new(format!("at most {MAX_HEADERS} headers"), fields.len().to_string()));
        }
        for (index, (label, _)) in fields.iter().enumerate() {
            if fields.iter().take(index).any(|(earlier, _)| earlier == label) {
                return Err(Falsehood::new("each header once", format!("a second {}", words(label))));
            }
        }
        Ok(Self(fields))
    }

    fn take(&mut self, label: &Value) -> Option<Value> {
        let index = self.0.iter().position(|(found, _)| found == label)?;
        Some(self.0.swap_remove(index).1)
    }

    fn read(mut self) -> Result<Headers, Falsehood> {
        let algorithm = match self.take(&number(ALGORITHM)) {
            Some(Value::Integer(found)) => {
                Algorithm::numbered(found.into()).ok_or_else(|| i128::from(found).to_string())
            }
            Some(other) => Err(words(&other)),
            None => return Err(Falsehood::new("the protected header alg", "none")),
        };
        let critical = match self.take(&number(CRITICAL)) {
            None => Vec::new(),
            Some(Value::Array(labels)) => labels.iter().map(words).collect(),
            Some(_) => return Err(Falsehood::new("crit as a list of labels", "something else")),
        };
        Ok(Headers {
            algorithm,
            content_type: self.text(&number(CONTENT_TYPE), "content type")?,
            critical,
            scheme: self.text(&Value::from(SCHEME), SCHEME)?,
            signing_time: self.time(SIGNING_TIME)?,
            authentic_signing_time: self.time(AUTHENTIC_SIGNING_TIME)?,
            expiry: self.time(EXPIRY)?,
            others: self.0.iter().map(|(label, _)| words(label)).collect(),
        })
    }

    fn text(&mut self, label: &Value, name: &str) -> Result<String, Falsehood> {
        match self.take(label) {
            Some(Value::Text(text)) => Ok(text),
            Some(_) => Err(Falsehood::new(format!("the protected header {name} as text"), "something else")),
            None => Err(Falsehood::new(format!("the protected header {name}"), "none")),
        }
    }

    fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Falsehood> {
        let Some(value) = self.take(&Value::from(name)) else { return Ok(None) };
        let seconds = match value {
            Value::Tag(EPOCH_TIME, seconds) => seconds.as_integer().and_then(|seconds| i64::try_from(seconds).ok()),
            _ => None,
        };
        let micros = seconds.and_then(|seconds| seconds.checked_mul(1_000_000));
        // A moment that RFC 3339 can't write could be told to nobody, as the end of what counts until then.
        let moment = micros.map(Timestamp::from_micros).filter(|moment| moment.to_string().parse() == Ok(*moment));
        let expected = || format!("the header {name} as a time with the tag 1, in whole seconds");
        moment.map(Some).ok_or_else(|| Falsehood::new(expected(), "something else"))
    }
}

/// A label as messages write it; numbers and texts never read the same, since notation's texts are no numbers.
fn words(label: &Value) -> String {
    match label {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => i128::from(*number).to_string(),
        _ => "a label of another kind".to_owned(),
    }
}
