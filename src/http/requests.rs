//! The end of each request: its identifier, its metric, its line.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use uuid::Uuid;

use super::download::chunk;
use super::{Entry, Http, REQUEST_ID, taken};

/// Makes identifiers of requests: a word for this process, and a number.
#[derive(Debug)]
pub struct Ids {
    process: String,
    next: AtomicU64,
}

impl Default for Ids {
    fn default() -> Self {
        let process = Uuid::new_v4().simple().to_string();
        Self { process: process.chars().take(12).collect(), next: AtomicU64::new(1) }
    }
}

impl Ids {
    /// The identifier that the request came with, if it is one that a log can hold; else a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
        if let Some(sent) = headers.get(REQUEST_ID)
            && (1..=64).contains(&sent.len())
            && sent.as_bytes().iter().all(plain)
        {
            return sent.clone();
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = Bytes::from(format!("{}-{number:x}", self.process));
        HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static("-"))
    }
}

/// Counts and logs an answer: at once if its body is one buffer, else when the body was sent or given up.
pub(super) fn finish(http: Arc<Http>, mut entry: Entry, response: Response) -> Response {
    entry.status = response.status();
    taken::handed();
    match response.body().size_hint().exact() {
        Some(bytes) if bytes <= chunk(entry.parts.version) => {
            report(&http, &entry, bytes);
            response
        }
        _ => response.map(|body| Body::new(Reported { body, http, entry, sent: 0 })),
    }
}

fn report(http: &Http, entry: &Entry, bytes: u64) {
    let took = entry.began.elapsed();
    http.metrics.answered(entry.kind, &entry.parts.method, entry.status, took);
    let Some(log) = &http.access_log else { return };
    let line = entry.line(log.format, http.clock.now(), bytes, took);
    if !log.lines.push(line) {
        http.metrics.lost_line();
    }
}

/// A body that is reported when it ends.
struct Reported {
    body: Body,
    http: Arc<Http>,
    entry: Entry,
    sent: u64,
}

impl HttpBody for Reported {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() {
            taken::reading();
        } else {
            taken::handed();
        }
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.sent = self.sent.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
            }
            Poll::Ready(Some(Err(error))) => {
                self.entry.refusal = Some(("unavailable", format!("the answer broke off: {error}")));
                self.http.metrics.refused(super::Reason::Unavailable);
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Reported {
    fn drop(&mut self) {
        report(&self.http, &self.entry, self.sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &Ids, sent: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, sent.parse().unwrap());
        ids.of(&headers).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_plain_identifier_is_kept() {
        assert_eq!(of(&Ids::default(), "a.B_9-"), "a.B_9-");
        assert_eq!(of(&Ids::default(), &"x".repeat(64)), "x".repeat(64));
    }

    #[test]
    fn what_could_steer_a_log_is_replaced() {
        let ids = Ids::default();
        for sent in ["", "a b", "\"", "a,b", &"x".repeat(65)] {
            assert!(of(&ids, sent).starts_with(&ids.process), "{sent}");
        }
    }

    #[test]
    fn no_two_identifiers_are_the_same() {
        let ids = Ids::default();
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
    }
}
