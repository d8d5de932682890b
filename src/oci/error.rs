//! The error codes of the [distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes), and their one JSON shape.

use serde::Serialize;

pub use oci_spec::distribution::ErrorCode;

/// `{"errors": [{"code", "message", "detail"}]}` with one entry.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorBody {
    errors: [Entry; 1],
}

#[derive(Clone, Debug, Serialize)]
struct Entry {
    code: ErrorCode,
    message: String,
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    detail: serde_json::Value,
}

impl ErrorBody {
    /// The body for one error; `detail` may be null and is then left out.
    pub fn new(code: ErrorCode, message: impl Into<String>, detail: serde_json::Value) -> Self {
        Self { errors: [Entry { code, message: message.into(), detail }] }
    }

    /// The JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
