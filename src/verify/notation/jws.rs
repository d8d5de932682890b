//! Envelopes in JWS: [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515)'s flattened JSON.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::envelope::{AUTHENTIC_SIGNING_TIME, EXPIRY, Envelope, Headers, SCHEME, SIGNING_TIME};
use crate::clock::Timestamp;
use crate::verify::{Falsehood, encoding};

const WHAT: &str = "a notation envelope in JWS";

#[derive(Deserialize)]
struct Written {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
    /// The general form, which several signatures share.
    signatures: Option<serde::de::IgnoredAny>,
}

/// The unprotected header: whoever carried the envelope could have changed it.
#[derive(Deserialize)]
struct Header {
    x5c: Vec<String>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, Falsehood> {
    let written: Written = encoding::json(bytes, WHAT)?;
    if written.signatures.is_some() {
        return Err(Falsehood::new(WHAT, "one that has several signatures"));
    }
    let headers: Map<String, Value> =
        encoding::json(&decoded("protected", &written.protected)?, "protected headers in JSON")?;
    let chain: Option<Vec<_>> =
        written.header.x5c.iter().map(|certificate| STANDARD.decode(certificate).ok()).collect();
    Envelope {
        headers: read(headers)?,
        payload: decoded("payload", &written.payload)?,
        signature: decoded("signature", &written.signature)?,
        signed: format!("{}.{}", written.protected, written.payload).into_bytes(),
        chain: chain.ok_or_else(|| Falsehood::new("certificates in base64", "an x5c of something else"))?,
    }
    .bounded()
}

/// Exactly one text encodes the same bytes: base64url without padding.
fn decoded(name: &str, text: &str) -> Result<Vec<u8>, Falsehood> {
    let strict = URL_SAFE_NO_PAD.decode(text);
    strict.map_err(|error| Falsehood::new(format!("{name} in base64url without padding"), error.to_string()))
}

fn read(mut fields: Map<String, Value>) -> Result<Headers, Falsehood> {
    let algorithm = required(&mut fields, "alg")?;
    let critical = match fields.remove("crit") {
        None => Vec::new(),
        Some(list) => {
            serde_json::from_value(list).map_err(|_json| Falsehood::new("crit as a list of names", "another"))?
        }
    };
    Ok(Headers {
        algorithm: Algorithm::named(&algorithm).ok_or(algorithm),
        content_type: required(&mut fields, "cty")?,
        critical,
        scheme: required(&mut fields, SCHEME)?,
        signing_time: time(&mut fields, SIGNING_TIME)?,
        authentic_signing_time: time(&mut fields, AUTHENTIC_SIGNING_TIME)?,
        expiry: time(&mut fields, EXPIRY)?,
        others: fields.into_iter().map(|(name, _)| name).collect(),
    })
}

fn required(fields: &mut Map<String, Value>, name: &str) -> Result<String, Falsehood> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Falsehood::new(format!("the protected header {name} as text"), "something else")),
        None => Err(Falsehood::new(format!("the protected header {name}"), "none")),
    }
}

fn time(fields: &mut Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Falsehood> {
    let Some(value) = fields.remove(name) else { return Ok(None) };
    let time = value.as_str().and_then(rfc3339);
    time.map(Some).ok_or_else(|| Falsehood::new(format!("the header {name} as a time of RFC 3339"), value.to_string()))
}

/// The parser knows more of ISO 8601 than RFC 3339 takes.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let dashes = |(index, byte): (usize, &u8)| match index {
        4 | 7 => *byte == b'-',
        10 => *byte == b'T',
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let (date_time, zone) = text.split_at_checked(19)?;
    let plain = date_time.as_bytes().iter().enumerate().all(dashes) && !zone.contains('[');
    let moment: jiff::Timestamp = text.parse().ok().filter(|_| plain)?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}
