//! `/v2/`

use axum::http::HeaderValue;
use axum::response::Response;
use bytes::Bytes;

use super::error::Refusal;
use super::{Call, answer};
use crate::gate::Who;
use crate::registry::Error;

/// `GET`: says that this is a registry.
///
/// With credentials configured it challenges who shows none: docker and skopeo send theirs only then.
pub(super) fn read(call: &Call<'_>) -> Result<Response, Refusal> {
    if *call.who == Who::Anonymous && call.http.authenticator.is_configured() {
        return Err(Error::Unauthorized.into());
    }
    Ok(answer::content(call.is_head(), HeaderValue::from_static("application/json"), Bytes::from_static(b"{}")))
}
