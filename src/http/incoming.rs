//! Request bodies, frame by frame, each frame within a time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::error::{Reason, Refusal};
use crate::oci::ErrorCode;
use crate::registry::Error;

/// How much of a body that nobody wants is read before its refusal is answered.
///
/// A client that is still sending sees an early answer as a broken pipe and never reads why.
const DRAIN_BYTES: u64 = 16 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The body of a request.
#[derive(Debug)]
pub(super) struct Incoming {
    body: Body,
    idle: Duration,
    /// What `Content-Length` says.
    length: Option<u64>,
    /// Whether the client waits for `100 Continue`, which the first read sends.
    waits: bool,
}

impl Incoming {
    /// The body that came with `headers`, whose frames may take `idle` each.
    pub(super) fn new(body: Body, headers: &HeaderMap, idle: Duration) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let waits = headers.contains_key(EXPECT);
        Self { body, idle, length, waits }
    }

    /// What `Content-Length` says, if it says anything.
    pub(super) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes, none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if self.body.is_end_stream() {
                return Ok(None);
            }
            self.waits = false;
            let frame = timeout(self.idle, self.body.frame()).await.map_err(|_elapsed| stalled(self.idle))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The whole body, if it is at most `limit` bytes.
    pub(super) async fn whole(&mut self, limit: usize) -> Result<Bytes, Refusal> {
        let bound = u64::try_from(limit).unwrap_or(u64::MAX);
        let too_large = || Refusal::from(Error::ManifestTooLarge { limit });
        if self.length.is_some_and(|length| length > bound) {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if whole.len().saturating_add(bytes.len()) > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    /// Reads on, within bounds, so that the client gets to read the answer. False if there is more.
    ///
    /// A client that waits for `100 Continue` has sent nothing and is answered at once.
    pub(super) async fn drain(&mut self) -> bool {
        if self.waits && !self.body.is_end_stream() {
            return false;
        }
        let until = Instant::now().checked_add(DRAIN_TIME);
        let mut read = 0_u64;
        while !self.body.is_end_stream() && read <= DRAIN_BYTES {
            let Some(until) = until else { return false };
            match timeout_at(until, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    read = read.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                }
                Ok(None) => return true,
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        self.body.is_end_stream()
    }
}

fn stalled(idle: Duration) -> Refusal {
    let message = format!("expected more of the body within {} seconds", idle.as_secs());
    Refusal::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BlobUploadInvalid, Reason::BodyTimeout, message).closing()
}

fn broken(error: &axum::Error) -> Refusal {
    let message = format!("expected the whole body: {error}");
    Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid, Reason::BodyBroken, message).closing()
}
