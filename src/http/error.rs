//! The one mapping of what went wrong to what the client, the metric and the log learn.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::endpoint::EndpointError;
use crate::oci::{DigestError, ErrorBody, ErrorCode, NameError, PreconditionError};
use crate::registry::Error;

/// Why a request was refused: the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is told by `Reason::as_str`")]
pub enum Reason {
    Unauthorized,
    Denied,
    Withheld,
    NameUnknown,
    ManifestUnknown,
    BlobUnknown,
    UploadUnknown,
    ContentAbsent,
    NameInvalid,
    DigestInvalid,
    TagInvalid,
    ManifestInvalid,
    QueryInvalid,
    HeaderInvalid,
    TooLarge,
    DigestMismatch,
    SizeMismatch,
    RangeInvalid,
    UploadBusy,
    BlobHeld,
    Conflict,
    Precondition,
    Misdirected,
    Capped,
    Path,
    Method,
    BodyBroken,
    BodyTimeout,
    Full,
    Quarantined,
    Unavailable,
}

impl Reason {
    /// Every reason, each at the place of its number.
    pub const ALL: [Self; 31] = [
        Self::Unauthorized,
        Self::Denied,
        Self::Withheld,
        Self::NameUnknown,
        Self::ManifestUnknown,
        Self::BlobUnknown,
        Self::UploadUnknown,
        Self::ContentAbsent,
        Self::NameInvalid,
        Self::DigestInvalid,
        Self::TagInvalid,
        Self::ManifestInvalid,
        Self::QueryInvalid,
        Self::HeaderInvalid,
        Self::TooLarge,
        Self::DigestMismatch,
        Self::SizeMismatch,
        Self::RangeInvalid,
        Self::UploadBusy,
        Self::BlobHeld,
        Self::Conflict,
        Self::Precondition,
        Self::Misdirected,
        Self::Capped,
        Self::Path,
        Self::Method,
        Self::BodyBroken,
        Self::BodyTimeout,
        Self::Full,
        Self::Quarantined,
        Self::Unavailable,
    ];

    /// The word in metrics and in the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Denied => "denied",
            Self::Withheld => "withheld",
            Self::NameUnknown => "name-unknown",
            Self::ManifestUnknown => "manifest-unknown",
            Self::BlobUnknown => "blob-unknown",
            Self::UploadUnknown => "upload-unknown",
            Self::ContentAbsent => "content-absent",
            Self::NameInvalid => "name-invalid",
            Self::DigestInvalid => "digest-invalid",
            Self::TagInvalid => "tag-invalid",
            Self::ManifestInvalid => "manifest-invalid",
            Self::QueryInvalid => "query-invalid",
            Self::HeaderInvalid => "header-invalid",
            Self::TooLarge => "too-large",
            Self::DigestMismatch => "digest-mismatch",
            Self::SizeMismatch => "size-mismatch",
            Self::RangeInvalid => "range-invalid",
            Self::UploadBusy => "upload-busy",
            Self::BlobHeld => "blob-held",
            Self::Conflict => "conflict",
            Self::Precondition => "precondition",
            Self::Misdirected => "misdirected",
            Self::Capped => "capped",
            Self::Path => "path",
            Self::Method => "method",
            Self::BodyBroken => "body-broken",
            Self::BodyTimeout => "body-timeout",
            Self::Full => "full",
            Self::Quarantined => "quarantined",
            Self::Unavailable => "unavailable",
        }
    }
}

/// An answer that is no.
#[derive(Debug)]
pub struct Refusal(Box<Told>);

#[derive(Debug)]
struct Told {
    status: StatusCode,
    /// None is `UNAVAILABLE`, for which the specification has no code.
    code: Option<ErrorCode>,
    message: Cow<'static, str>,
    detail: Value,
    reason: Reason,
    /// What only the log may say.
    internal: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    closes: bool,
}

impl Refusal {
    /// A refusal that tells the client `message`.
    pub fn new(status: StatusCode, code: ErrorCode, reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Told {
            status,
            code: Some(code),
            message: message.into(),
            detail: Value::Null,
            reason,
            internal: None,
            headers: Vec::new(),
            closes: false,
        }))
    }

    /// 503: the client learns that it may try again, the log learns why.
    pub fn unavailable(internal: impl Into<String>) -> Self {
        let mut refusal = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unsupported,
            Reason::Unavailable,
            "the registry can't answer now",
        );
        refusal.0.code = None;
        refusal.0.internal = Some(internal.into());
        refusal.with(RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// 503 for what is stored and not what its name says: no fault of the client's, and no absence.
    fn quarantined(message: String) -> Self {
        let mut refusal = Self::unavailable(message.clone());
        refusal.0.reason = Reason::Quarantined;
        refusal.0.message = message.into();
        refusal
    }

    /// 400 for a part of the query string that is not what it should be.
    ///
    /// The specification has no code for it; `UNSUPPORTED` is the nearest.
    pub fn query(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, Reason::QueryInvalid, message)
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same, after which the connection is of no use.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.0.closes = true;
        self
    }

    fn with_detail(mut self, detail: Value) -> Self {
        self.0.detail = detail;
        self
    }

    /// Why, for the metric.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The sentence for the log.
    pub fn log_text(&self) -> &str {
        self.0.internal.as_deref().unwrap_or(&self.0.message)
    }

    /// The answer; `realm` is the challenge of a 401.
    pub fn into_response(self, realm: &HeaderValue) -> Response {
        let told = *self.0;
        let body = match told.code {
            Some(code) => ErrorBody::new(code, told.message, told.detail).to_json(),
            None => json!({"errors": [{"code": "UNAVAILABLE", "message": told.message}]}).to_string(),
        };
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = told.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, length);
        if told.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, realm.clone());
        }
        if told.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in told.headers {
            headers.append(name, value);
        }
        response
    }
}

impl From<EndpointError> for Refusal {
    fn from(error: EndpointError) -> Self {
        let text = error.to_string();
        let (status, code, reason) = match error {
            EndpointError::Path => (StatusCode::NOT_FOUND, ErrorCode::Unsupported, Reason::Path),
            EndpointError::Method { allowed } => {
                return Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, Reason::Method, text)
                    .with(ALLOW, HeaderValue::from_static(allowed));
            }
            EndpointError::Name(error) => return error.into(),
            EndpointError::Digest(error) => return error.into(),
            EndpointError::Tag => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid, Reason::TagInvalid),
            EndpointError::UnknownReference => {
                (StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, Reason::ManifestUnknown)
            }
            EndpointError::UnknownUpload => {
                (StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, Reason::UploadUnknown)
            }
        };
        Self::new(status, code, reason, text)
    }
}

/// The specification has no code for it; `UNSUPPORTED` is the nearest.
impl From<PreconditionError> for Refusal {
    fn from(error: PreconditionError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, Reason::HeaderInvalid, error.to_string())
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, Reason::NameInvalid, error.to_string())
    }
}

impl From<DigestError> for Refusal {
    fn from(error: DigestError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, Reason::DigestInvalid, error.to_string())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        use ErrorCode as Code;
        let text = error.to_string();
        let (status, code, reason) = match error {
            Error::Unauthorized => (StatusCode::UNAUTHORIZED, Code::Unauthorized, Reason::Unauthorized),
            Error::NameUnknown => (StatusCode::NOT_FOUND, Code::NameUnknown, Reason::NameUnknown),
            Error::ManifestUnknown(_) => (StatusCode::NOT_FOUND, Code::ManifestUnknown, Reason::ManifestUnknown),
            Error::BlobUnknown(_) => (StatusCode::NOT_FOUND, Code::BlobUnknown, Reason::BlobUnknown),
            Error::UploadUnknown => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown, Reason::UploadUnknown),
            Error::Denied(_) => (StatusCode::FORBIDDEN, Code::Denied, Reason::Denied),
            Error::Withheld(withheld) => {
                let detail = serde_json::to_value(withheld).unwrap_or_default();
                return Self::new(StatusCode::FORBIDDEN, Code::Denied, Reason::Withheld, text).with_detail(detail);
            }
            Error::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, Code::ManifestInvalid, Reason::ManifestInvalid),
            Error::ContentAbsent(digests) => {
                let detail = serde_json::to_value(digests).unwrap_or_default();
                let refusal = Self::new(StatusCode::NOT_FOUND, Code::ManifestBlobUnknown, Reason::ContentAbsent, text);
                return refusal.with_detail(detail);
            }
            Error::ManifestTooLarge { .. } | Error::BlobTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, Reason::TooLarge)
            }
            Error::DigestMismatch { .. } => (StatusCode::BAD_REQUEST, Code::DigestInvalid, Reason::DigestMismatch),
            Error::SizeMismatch { .. } => (StatusCode::BAD_REQUEST, Code::SizeInvalid, Reason::SizeMismatch),
            Error::RangeInvalid { .. } => {
                (StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, Reason::RangeInvalid)
            }
            Error::UploadBusy => (StatusCode::CONFLICT, Code::BlobUploadInvalid, Reason::UploadBusy),
            Error::BlobHeld(_) => (StatusCode::CONFLICT, Code::Denied, Reason::BlobHeld),
            Error::Conflict(_) => (StatusCode::CONFLICT, Code::Denied, Reason::Conflict),
            Error::PreconditionFailed(_) => (StatusCode::PRECONDITION_FAILED, Code::Denied, Reason::Precondition),
            Error::Capped(_) => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, Reason::Capped),
            Error::Full | Error::AtFloor { .. } => (StatusCode::INSUFFICIENT_STORAGE, Code::Denied, Reason::Full),
            Error::Quarantined(_) => return Self::quarantined(text),
            Error::Unavailable(_) => return Self::unavailable(text),
        };
        Self::new(status, code, reason, text)
    }
}
