//! Base64 and JSON as evidence writes them.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::DeserializeOwned;

use super::Falsehood;
use crate::oci::json;

/// How deep the JSON of evidence may nest.
const MAX_DEPTH: usize = 32;

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// The bytes that `text` encodes, in either alphabet: protocol buffers' JSON may write both.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}

/// `bytes` as JSON of the form of `T`; `what` is named when they are not.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Falsehood> {
    let value = json::parse(bytes, MAX_DEPTH).map_err(|error| Falsehood::new(what, error.to_string()))?;
    serde_json::from_value(value).map_err(|error| Falsehood::new(what, format!("JSON of another form: {error}")))
}
