//! Epochs: what was answered before a change is not answered after it.
//!
//! Every commit to a repository, and every swap of the revision, advances an epoch. An answer remembers the epoch
//! that was read *before* its inputs were; it is used again only while that epoch stands. Repositories share a fixed
//! number of epochs by hash: a collision costs a second look, never a stale answer.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::oci::RepositoryName;

const SLOTS: usize = 1024;

#[derive(Debug)]
pub(super) struct Epochs {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Epochs {
    pub(super) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }

    fn slot(&self, repository: &RepositoryName) -> Option<&AtomicU64> {
        let hash = self.hasher.hash_one(repository);
        self.slots.get(usize::try_from(hash & 0x3ff).unwrap_or_default())
    }

    /// The epoch of a repository now. Read it before what the answer is made of.
    pub(super) fn of(&self, repository: &RepositoryName) -> u64 {
        self.slot(repository).map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    /// A commit may have been made, and it is not known where.
    pub(super) fn advance_all(&self) {
        for slot in &self.slots {
            slot.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A commit was made: call it before the change is acknowledged.
    pub(super) fn advance(&self, repository: &RepositoryName) {
        if let Some(slot) = self.slot(repository) {
            slot.fetch_add(1, Ordering::AcqRel);
        }
    }
}
