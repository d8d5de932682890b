//! What answers share: headers and small bodies.

use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, WARNING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

use super::error::{Reason, Refusal};
use crate::oci::{Digest, ErrorCode, Precondition, media_type};
use crate::registry::Lenience;

/// `Docker-Content-Digest`
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// `OCI-Subject`
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// `OCI-Tag`
pub(super) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// `OCI-Filters-Applied`
pub(super) const OCI_FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// `Docker-Upload-UUID`
pub(super) const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}

/// 200 with `bytes`; to a HEAD, all but them.
pub(super) fn content(head: bool, content_type: HeaderValue, bytes: Bytes) -> Response {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(if head { Body::empty() } else { Body::from(bytes) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length);
    response
}

/// 200 with JSON.
pub(super) fn json(head: bool, value: &impl Serialize) -> Result<Response, Refusal> {
    let text = serde_json::to_vec(value).map_err(|error| Refusal::unavailable(error.to_string()))?;
    Ok(content(head, HeaderValue::from_static("application/json"), text.into()))
}

/// 200 with text.
pub(super) fn text(head: bool, content_type: &'static str, text: String) -> Response {
    content(head, HeaderValue::from_static(content_type), text.into())
}

/// Notes why content was served though its requirement is unmet: for the client if it is to be warned, and for the log.
pub(super) fn be_lenient(response: &mut Response, lenience: &Lenience) {
    if lenience.warns {
        warn(response.headers_mut(), &lenience.reason);
    }
    response.extensions_mut().insert(lenience.clone());
}

/// A header value of what our own types display; a value that can't be one is left out by its callers.
pub(super) fn value(text: impl Display) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(text.to_string())).ok()
}

/// Adds a header, unless `text` can't be one.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, text: impl Display) {
    if let Some(value) = value(text) {
        headers.insert(name, value);
    }
}

/// Adds `Location`, relative to the host: what is in front of us may have another name.
pub(super) fn locate(headers: &mut HeaderMap, path: impl Display) {
    insert(headers, LOCATION, path);
}

/// What `If-Match` and `If-None-Match` ask of a change.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, Refusal> {
    let [if_match, if_none_match] =
        [IF_MATCH, IF_NONE_MATCH].map(|name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes));
    Ok(Precondition::parse(if_match, if_none_match)?)
}

/// Refuses a read whose `If-Match` does not name what would be sent
/// ([RFC 9110 §13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1)).
pub(super) fn expect_match(headers: &HeaderMap, digest: &Digest) -> Result<(), Refusal> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(());
    }
    let if_match = headers.get_all(IF_MATCH).into_iter().map(HeaderValue::as_bytes);
    if Precondition::parse(if_match, [])?.holds(Some(digest)) {
        return Ok(());
    }
    let (status, message) =
        (StatusCode::PRECONDITION_FAILED, format!("expected If-Match to name {digest}, which it does not"));
    Err(Refusal::new(status, ErrorCode::Denied, Reason::Precondition, message))
}

/// A digest as header values: `Docker-Content-Digest` and `ETag` share one buffer.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    etag: HeaderValue,
    digest: HeaderValue,
}

impl Tagged {
    /// The header values of `digest`.
    pub(super) fn new(digest: &Digest) -> Option<Self> {
        let quoted = Bytes::from(format!("\"{digest}\""));
        let bare = quoted.slice(1..quoted.len().saturating_sub(1));
        let etag = HeaderValue::from_maybe_shared(quoted).ok()?;
        Some(Self { etag, digest: HeaderValue::from_maybe_shared(bare).ok()? })
    }

    /// Whether `If-None-Match` says that the client has it already
    /// ([RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2): compared weakly, `*` is any).
    pub(super) fn is_had(&self, request: &HeaderMap) -> bool {
        let ours = self.etag.as_bytes();
        request.get_all(IF_NONE_MATCH).iter().any(|value| {
            value
                .as_bytes()
                .split(|b| *b == b',')
                .map(<[u8]>::trim_ascii)
                .any(|theirs| theirs == b"*" || theirs.strip_prefix(b"W/").unwrap_or(theirs) == ours)
        })
    }

    /// Whether `value` is the entity tag.
    pub(super) fn is_etag(&self, value: &HeaderValue) -> bool {
        self.etag == *value
    }

    /// Adds both headers.
    pub(super) fn insert(self, headers: &mut HeaderMap) {
        headers.insert(ETAG, self.etag);
        headers.insert(CONTENT_DIGEST, self.digest);
    }
}

/// The media type as a header value; the usual ones need no work.
pub(super) fn media_type(name: &str) -> HeaderValue {
    for known in [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_LIST]
    {
        if known == name {
            return HeaderValue::from_static(known);
        }
    }
    HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// Adds `Warning: 299 - "…"`, with what no header may hold replaced.
pub(super) fn warn(headers: &mut HeaderMap, text: &str) {
    let plain = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => c,
        _ => '?',
    };
    let text: String = text.chars().take(512).map(plain).collect();
    if let Some(value) = value(format_args!("299 - \"{text}\"")) {
        headers.append(WARNING, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_compared_weakly_and_in_lists() {
        let digest = Digest::sha256(b"x");
        let tagged = Tagged::new(&digest).unwrap();
        let had = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, value.parse().unwrap());
            tagged.is_had(&headers)
        };
        assert!(had(&format!("\"{digest}\"")));
        assert!(had(&format!("W/\"{digest}\"")));
        assert!(had(&format!("\"other\" , W/\"{digest}\"")));
        assert!(had("*"));
        assert!(!had("\"other\""));
        assert!(!had(&digest.to_string()));
        assert!(!tagged.is_had(&HeaderMap::new()));
    }

    #[test]
    fn a_warning_holds_nothing_that_ends_it() {
        let mut headers = HeaderMap::new();
        warn(&mut headers, "bad \"quote\"\r\nSet-Cookie: é\\");
        assert_eq!(headers[WARNING], "299 - \"bad 'quote'??Set-Cookie: ?/\"");
    }
}
