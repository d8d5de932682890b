//! Blobs on their way out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use axum::http::Version;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::registry::{Admitted, BlobContent};
use crate::store::StoreError;

/// How much is read at once for a connection that sends one body at a time.
const CHUNK: u64 = 256 << 10;
/// How much is read at once for one of the many streams of a connection: all may stand still, each with what was read.
const CHUNK_OF_A_STREAM: u64 = 64 << 10;

type Read = Pin<Box<dyn Future<Output = Result<Bytes, StoreError>> + Send>>;

/// How much is read at once for an answer in this version of HTTP.
pub(super) fn chunk(version: Version) -> u64 {
    if version == Version::HTTP_2 { CHUNK_OF_A_STREAM } else { CHUNK }
}

/// A part of an admitted blob as a body: positioned reads of `chunk` bytes.
///
/// While the medium is slower than memory, one read is under way ahead of the one that is being sent.
pub(super) struct Download {
    blob: Arc<Admitted<BlobContent>>,
    /// Where the next read begins.
    offset: u64,
    /// Where the part ends.
    end: u64,
    /// Bytes that are still to be handed out.
    left: u64,
    chunk: u64,
    reading: Option<Read>,
}

impl Download {
    /// `length` bytes from `offset`, `chunk` at once; the caller has checked that they are there.
    pub(super) fn new(blob: Arc<Admitted<BlobContent>>, offset: u64, length: u64, chunk: u64) -> Self {
        Self { blob, offset, end: offset.saturating_add(length), left: length, chunk, reading: None }
    }

    fn next_read(&mut self) -> Option<Read> {
        let length = self.end.saturating_sub(self.offset).min(self.chunk);
        if length == 0 {
            return None;
        }
        let (blob, offset) = (Arc::clone(&self.blob), self.offset);
        self.offset = self.offset.saturating_add(length);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Some(Box::pin(async move { blob.object.read(offset, length).await }))
    }

    /// Starts the next read, which goes on by itself once it was polled.
    fn read_ahead(&mut self, context: &mut Context<'_>) {
        let Some(mut read) = self.next_read() else { return };
        self.reading = Some(match read.as_mut().poll(context) {
            Poll::Pending => read,
            Poll::Ready(done) => Box::pin(std::future::ready(done)),
        });
    }

    fn took(&mut self, bytes: Result<Bytes, StoreError>) -> Result<Frame<Bytes>, std::io::Error> {
        let bytes = match bytes {
            Ok(bytes) if bytes.is_empty() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => bytes,
            Err(error) => return Err(std::io::Error::other(error)),
        };
        self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(Frame::data(bytes))
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let ahead = self.reading.is_some();
        let Some(mut read) = self.reading.take().or_else(|| self.next_read()) else { return Poll::Ready(None) };
        match read.as_mut().poll(context) {
            Poll::Pending => {
                self.reading = Some(read);
                Poll::Pending
            }
            Poll::Ready(bytes) => {
                if ahead {
                    self.read_ahead(context);
                }
                Poll::Ready(Some(self.took(bytes)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
