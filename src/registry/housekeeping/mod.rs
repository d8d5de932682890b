//! What keeps the registry's storage sound without anyone asking for content: scrub, collection, the reserve.
//!
//! None of it takes a lock that a request waits for. It runs beside a serving registry, and alone over a root that
//! nobody serves.

mod audit;
mod collect;
mod content;
mod manifest;
mod news;
mod pace;
mod pass;
mod report;
mod room;
mod soundness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Mutex, Notify};

use crate::clock::Clock;
use crate::config::Limits;
use crate::metadata::Metadata;
use crate::oci::RepositoryName;
use crate::store::Store;

use super::changed::Changed;
use super::epoch::Epochs;
use super::{Error, view};

pub use audit::AuditRecord;
pub use news::News;
pub use report::{
    CollectedBlob, Collection, Evidence, QuarantinedObject, ScrubPassReport, ScrubStatus, Session, Unheld, Waiting,
};

pub(super) use report::having;
use room::Room;
use soundness::Soundness;

/// Keeps a root sound.
pub struct Housekeeping {
    store: Arc<dyn Store>,
    metadata: Arc<dyn Metadata>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    epochs: Arc<Epochs>,
    changed: Arc<Changed>,
    /// Someone asks for a pass.
    asked: Notify,
    /// Passes come one after another.
    passing: Mutex<()>,
    running: AtomicBool,
    news: Arc<news::Queue>,
    room: Room,
    counters: Arc<ScrubCounters>,
    soundness: Arc<Soundness>,
}

/// What scrubs came to since the process began.
#[derive(Debug, Default)]
pub struct ScrubCounters {
    objects: AtomicU64,
    bytes: AtomicU64,
    quarantined: AtomicU64,
    repaired: AtomicU64,
    unnamed: AtomicU64,
    unchecked: AtomicU64,
}

impl ScrubCounters {
    /// Contents and manifests that were hashed again.
    pub fn objects(&self) -> u64 {
        self.objects.load(Ordering::Relaxed)
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What was quarantined.
    pub fn quarantined(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// What was repaired from another copy.
    pub fn repaired(&self) -> u64 {
        self.repaired.load(Ordering::Relaxed)
    }

    /// Objects without a name that were put in the trash.
    pub fn unnamed(&self) -> u64 {
        self.unnamed.load(Ordering::Relaxed)
    }

    /// Contents that could not be opened or read, which says nothing about them.
    pub fn unchecked(&self) -> u64 {
        self.unchecked.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Housekeeping {
    /// Over a root that nobody serves.
    pub fn alone(store: Arc<dyn Store>, metadata: Arc<dyn Metadata>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self::beside(store, metadata, clock, limits, (Arc::new(Epochs::new()), Arc::default()))
    }

    /// Beside a registry, which is told of changes by `epochs` and `changed`.
    pub(super) fn beside(
        store: Arc<dyn Store>,
        metadata: Arc<dyn Metadata>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        (epochs, changed): (Arc<Epochs>, Arc<Changed>),
    ) -> Self {
        Self {
            store,
            metadata,
            clock,
            limits,
            epochs,
            changed,
            asked: Notify::new(),
            passing: Mutex::new(()),
            running: AtomicBool::new(false),
            news: Arc::default(),
            room: Room::default(),
            counters: Arc::default(),
            soundness: Arc::default(),
        }
    }

    /// What scrubs came to since the process began.
    pub fn counters(&self) -> &ScrubCounters {
        &self.counters
    }

    /// Brings every layout up to date, over a root that nobody serves: until then its links keep the bytes of what was
    /// collected, and show what rotted.
    pub async fn flush_views(&self) -> Result<(), Error> {
        self.with_reserve(|| async { view::flush(&*self.store, &*self.metadata).await?.tell() }).await
    }

    /// What was answered about these repositories is not answered again, and their layouts are behind.
    fn changed(&self, repositories: &[RepositoryName]) {
        for repository in repositories {
            self.epochs.advance(repository);
        }
        self.changed.tell();
    }
}
