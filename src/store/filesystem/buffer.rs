//! Memory for reads, used again: large buffers are cleared once, not at every read.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::store::READ_BYTES;

/// Reads up to this size get memory of their own, which the allocator is quick about.
const SMALL: usize = 32 * 1024;

/// How many buffers are kept while nobody reads: 2 MiB.
const KEPT: usize = 8;

/// Where a large buffer begins: at a page, as what it is filled from does. Some processors copy several times slower to a
/// place that lies less than 64 bytes behind the source's within their pages, and what the allocator gives large memory
/// begins 16 bytes into a page.
const PAGE: usize = 4096;

/// The buffers at rest, each with room for [`READ_BYTES`] from a page on.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

/// Memory that is being filled, then read.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    /// Where the bytes begin.
    start: usize,
    length: usize,
    home: Option<Arc<Buffers>>,
}

impl Buffers {
    /// A buffer of `length` bytes, whose content may be that of an earlier read until it is filled.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Buffer {
        if length <= SMALL || length > READ_BYTES {
            return Buffer { memory: vec![0; length], start: 0, length, home: None };
        }
        let rested = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let memory = rested.unwrap_or_else(|| vec![0; READ_BYTES.saturating_add(PAGE)]);
        // Where that can't be told, any place will do.
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Buffer { memory, start, length, home: Some(Arc::clone(self)) }
    }
}

impl Buffer {
    /// What is to be filled, from `filled` on.
    pub(super) fn unfilled(&mut self, filled: usize) -> &mut [u8] {
        let end = self.start.saturating_add(self.length);
        self.memory.get_mut(self.start.saturating_add(filled)..end).unwrap_or_default()
    }

    /// The filled buffer, without a copy. Large memory comes back here when the last reader lets go of it.
    pub(super) fn into_bytes(mut self) -> Bytes {
        if self.home.is_none() { Bytes::from(mem::take(&mut self.memory)) } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.memory.get(self.start..self.start.saturating_add(self.length)).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        let mut rested = home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rested.len() < KEPT {
            rested.push(mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(buffers: &Buffers) -> usize {
        buffers.0.lock().unwrap().len()
    }

    #[test]
    fn a_large_buffer_comes_back_when_its_bytes_are_dropped() {
        let buffers = Arc::new(Buffers::default());
        let bytes = buffers.take(READ_BYTES).into_bytes();
        assert_eq!((bytes.len(), at_rest(&buffers)), (READ_BYTES, 0));
        drop(bytes);
        assert_eq!(at_rest(&buffers), 1);
    }

    #[test]
    fn a_buffer_used_again_has_the_length_that_was_asked_for() {
        let buffers = Arc::new(Buffers::default());
        drop(buffers.take(READ_BYTES));
        assert_eq!(buffers.take(SMALL + 1).into_bytes().len(), SMALL + 1);
    }

    #[test]
    fn a_large_buffer_begins_at_a_page() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (0..4).map(|_| buffers.take(READ_BYTES).into_bytes()).collect();
        assert!(many.iter().all(|bytes| bytes.as_ptr().addr() % PAGE == 0 && bytes.len() == READ_BYTES));
    }

    #[test]
    fn buffers_at_rest_are_bounded() {
        let buffers = Arc::new(Buffers::default());
        let many: Vec<_> = (0..KEPT * 2).map(|_| buffers.take(READ_BYTES)).collect();
        drop(many);
        assert_eq!(at_rest(&buffers), KEPT);
    }
}
