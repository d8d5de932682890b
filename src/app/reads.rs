//! How much of a connection is read at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};

/// The most of one read, in bytes.
///
/// It is no multiple of a page, so that reads into fresh memory begin at ever other places of the kernel's pages. Some
/// processors copy several times slower to a place less than 64 bytes behind the source's within their pages: large
/// memory begins 16 bytes into one, and a client on this machine begins a request at one. Were each read a number of
/// pages, all of a body would come so, or none.
const READ: u64 = (128 << 10) - 1088;

/// A connection that is read in pieces of at most [`READ`].
#[derive(Debug)]
pub(super) struct Reads<S>(Take<S>);

impl<S: AsyncRead> Reads<S> {
    pub(super) fn of(stream: S) -> Self {
        Self(stream.take(READ))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reads<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.set_limit(READ);
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Reads<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.get_ref().is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn all_comes_in_reads_that_are_bounded_and_end() {
        let (here, mut there) = tokio::io::duplex(1 << 20);
        let mut reads = Reads::of(here);
        let sent: Vec<u8> = (0..500_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        there.write_all(&sent).await.unwrap();
        drop(there);
        let (mut came, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            let length = reads.read(&mut buffer).await.unwrap();
            assert!(u64::try_from(length).unwrap() <= READ);
            came.extend_from_slice(&buffer[..length]);
            if length == 0 {
                break;
            }
        }
        assert!(came == sent);
    }

    #[tokio::test]
    async fn what_is_written_goes_through() {
        let (here, mut there) = tokio::io::duplex(64);
        let mut reads = Reads::of(here);
        reads.write_all(b"answer").await.unwrap();
        reads.shutdown().await.unwrap();
        let mut came = Vec::new();
        there.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, b"answer");
    }
}
