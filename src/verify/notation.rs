//! notation's envelopes: recognised and kept; what they prove is judged by a later version.

use serde_json::Value;

use super::candidate::{NOTATION_COSE, NOTATION_JWS};
use super::{Falsehood, encoding};

/// Whether `bytes` are an envelope of `media_type` at all.
pub(super) fn check(media_type: &str, bytes: &[u8]) -> Result<(), Falsehood> {
    match media_type {
        NOTATION_JWS => {
            let envelope: Value = encoding::json(bytes, "a notation envelope in JWS")?;
            let texts = ["payload", "protected", "signature"];
            if texts.iter().all(|field| envelope.get(field).is_some_and(Value::is_string)) {
                return Ok(());
            }
            Err(Falsehood::new("a notation envelope in JWS", "JSON without payload, protected and signature"))
        }
        // The tag 18 of COSE_Sign1, then an array of four.
        NOTATION_COSE if bytes.starts_with(&[0xd2, 0x84]) => Ok(()),
        NOTATION_COSE => Err(Falsehood::new("a notation envelope in COSE", "bytes that are no tagged COSE_Sign1")),
        other => Err(Falsehood::new("a notation envelope", format!("a layer of {other:?}"))),
    }
}
