//! What the verbs count, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts since the process began.
#[derive(Debug, Default)]
pub struct Counters {
    met: AtomicU64,
    unmet: AtomicU64,
    lenient: AtomicU64,
    manifests: AtomicU64,
    blobs: AtomicU64,
    untold_refusals: AtomicU64,
}

/// Pushes that wait for evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// How many tags have a newest push that meets no requirement.
    pub pushes: u64,
    /// How long the oldest of them has been waiting.
    pub oldest: Option<Duration>,
}

impl Counters {
    pub(super) fn count_verdict(&self, met: bool) {
        let counter = if met { &self.met } else { &self.unmet };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_lenient(&self) {
        self.lenient.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_manifest(&self) {
        self.manifests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_blob(&self) {
        self.blobs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_untold_refusals(&self, times: u64) {
        self.untold_refusals.fetch_add(times, Ordering::Relaxed);
    }

    /// Verdicts that came out met; remembered ones are not counted again.
    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    /// Verdicts that came out unmet.
    pub fn unmet(&self) -> u64 {
        self.unmet.load(Ordering::Relaxed)
    }

    /// Answers that were served though their requirement was unmet, for its mode is `warn` or `audit`.
    pub fn lenient(&self) -> u64 {
        self.lenient.load(Ordering::Relaxed)
    }

    /// Manifests that were stored.
    pub fn manifests(&self) -> u64 {
        self.manifests.load(Ordering::Relaxed)
    }

    /// Blobs that were stored or mounted.
    pub fn blobs(&self) -> u64 {
        self.blobs.load(Ordering::Relaxed)
    }

    /// Refusals that the audit trail does not tell of: there were too many different ones, or it could not be written.
    pub fn untold_refusals(&self) -> u64 {
        self.untold_refusals.load(Ordering::Relaxed)
    }
}
