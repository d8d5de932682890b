//! What uploads gather before their bytes are written: all of them share one bound, and large memory is used again.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What one upload gathers at the most, in bytes: more makes nothing faster.
const MOST: usize = 1 << 20;
/// What one upload gathers at the least, in bytes: less costs more than it saves.
const LEAST: usize = 64 << 10;
/// What all uploads gather together, in bytes, while there are not so many that each gathers the least.
const TOGETHER: usize = 4 << 20;

/// So little comes in memory of its own, in bytes, which the allocator is quick about.
const LITTLE: usize = LEAST;
/// The most that comes at once of a body, in bytes: a piece ends after it, not within.
const FRAME: usize = 128 << 10;
/// How many large pieces of memory are kept while no upload needs them.
const KEPT: usize = TOGETHER / MOST;

/// The uploads that come in now, and the memory that others gathered in.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering(Arc<Uploads>);

#[derive(Debug, Default)]
struct Uploads {
    count: AtomicUsize,
    /// What the allocator gave and took back for each piece would be cleared by the kernel for each, page by page.
    rested: Mutex<Vec<Vec<u8>>>,
}

/// One upload that comes in, and what it has gathered.
#[derive(Debug)]
pub(super) struct Share {
    gathering: Gathering,
    gathered: Vec<u8>,
}

/// A piece that is on its way to the disk. Its memory comes back to the others' when nobody reads it any more.
struct Piece {
    bytes: Vec<u8>,
    home: Gathering,
}

impl Gathering {
    pub(super) fn join(&self) -> Share {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        Share { gathering: self.clone(), gathered: Vec::new() }
    }

    /// How many bytes an upload gathers while as many come in as now.
    fn enough(&self) -> usize {
        let uploads = self.0.count.load(Ordering::Relaxed);
        TOGETHER.checked_div(uploads).unwrap_or(MOST).clamp(LEAST, MOST)
    }

    /// Memory for `length` bytes that come now, and for what comes after them.
    fn memory(&self, length: usize) -> Vec<u8> {
        if length <= LITTLE {
            return Vec::with_capacity(LITTLE);
        }
        let enough = self.enough();
        if enough < MOST || length > MOST + FRAME {
            return Vec::with_capacity(enough.saturating_add(length));
        }
        let rested = self.0.rested.lock().unwrap_or_else(PoisonError::into_inner).pop();
        rested.unwrap_or_else(|| Vec::with_capacity(MOST + FRAME))
    }

    /// Keeps large memory for the next upload.
    fn keep(&self, mut memory: Vec<u8>) {
        if memory.capacity() != MOST + FRAME {
            return;
        }
        memory.clear();
        let mut rested = self.0.rested.lock().unwrap_or_else(PoisonError::into_inner);
        if rested.len() < KEPT {
            rested.push(memory);
        }
    }
}

impl Share {
    /// How many bytes are gathered.
    pub(super) const fn len(&self) -> usize {
        self.gathered.len()
    }

    /// Gathers `bytes`, and says whether that is enough for a piece.
    pub(super) fn gather(&mut self, bytes: &[u8]) -> bool {
        let after = self.gathered.len().saturating_add(bytes.len());
        if after > self.gathered.capacity() {
            let mut memory = self.gathering.memory(after);
            memory.extend_from_slice(&self.gathered);
            self.gathering.keep(mem::replace(&mut self.gathered, memory));
        }
        self.gathered.extend_from_slice(bytes);
        after >= self.gathering.enough()
    }

    /// What is gathered, if anything is.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        if self.gathered.is_empty() {
            return None;
        }
        let piece = Piece { bytes: mem::take(&mut self.gathered), home: self.gathering.clone() };
        Some(Bytes::from_owner(piece))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.gathering.0.count.fetch_sub(1, Ordering::Relaxed);
        self.gathering.keep(mem::take(&mut self.gathered));
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.home.keep(mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_rest(gathering: &Gathering) -> usize {
        gathering.0.rested.lock().unwrap().len()
    }

    #[test]
    fn uploads_gather_less_each_the_more_come_in_at_once() {
        let gathering = Gathering::default();
        let first = gathering.join();
        assert_eq!(gathering.enough(), MOST);
        let others: Vec<_> = (0..7).map(|_| gathering.join()).collect();
        assert_eq!(gathering.enough(), TOGETHER / 8);
        let many: Vec<_> = (0..1000).map(|_| gathering.join()).collect();
        assert_eq!(gathering.enough(), LEAST);
        drop((others, many));
        assert_eq!(gathering.enough(), MOST);
        drop(first);
    }

    #[test]
    fn pieces_are_what_came_in_its_order() {
        let gathering = Gathering::default();
        let mut share = gathering.join();
        let mut came = Vec::new();
        let mut pieces = Vec::new();
        for (number, length) in [1, 100, LITTLE, FRAME, 3, FRAME, FRAME, FRAME, MOST + FRAME, 7].into_iter().enumerate()
        {
            let bytes = vec![u8::try_from(number).unwrap(); length];
            came.extend_from_slice(&bytes);
            if share.gather(&bytes) {
                pieces.push(share.take().unwrap());
                assert!(pieces.last().unwrap().len() >= MOST);
            }
        }
        assert_eq!(share.len(), 7);
        pieces.extend(share.take());
        assert_eq!((share.take(), pieces.concat() == came), (None, true));
    }

    #[test]
    fn large_memory_is_used_again_and_what_is_kept_is_bounded() {
        let gathering = Gathering::default();
        let mut share = gathering.join();
        let frame = vec![1; FRAME];
        let piece = |share: &mut Share| {
            while !share.gather(&frame) {}
            share.take().unwrap()
        };
        // Though it begins with little.
        share.gather(&[1; 1]);
        let first = piece(&mut share);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(at_rest(&gathering), 1);
        assert_eq!(piece(&mut share).as_ptr(), place);
        drop((0..2 * KEPT).map(|_| piece(&mut share)).collect::<Vec<_>>());
        assert_eq!(at_rest(&gathering), KEPT);
        share.gather(&[1; 1]);
        drop(share);
        assert_eq!(at_rest(&gathering), KEPT, "little memory is not kept");
    }
}
