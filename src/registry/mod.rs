//! The verbs of the registry, without HTTP.
//!
//! Who may is told by [`Allowed`]; what may be served is told by [`Admitted`]. Neither can be made elsewhere.

mod account;
mod admission;
mod admitted;
mod allowed;
mod blob;
mod cases;
mod classify;
mod commit;
mod counters;
mod current;
mod delete;
mod epoch;
mod error;
mod explain;
mod garbage;
mod judge;
mod list;
mod mount;
mod pull;
mod push;
mod recovery;
mod resolve;
mod revision;
mod tend;
#[cfg(test)]
mod tests;
mod trust_warnings;
mod upload;
mod view;
mod warnings;
mod writer;

use std::sync::Arc;

use arc_swap::ArcSwap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, Notify};

use crate::clock::Clock;
use crate::config::Limits;
use crate::gate::Finding;
use crate::metadata::{Metadata, StoredRevision};
use crate::oci::{Digest, Reference};
use crate::store::Store;
use crate::verify::Verifier;

pub use account::{Account, Granted, Passed, PolicyLine};
pub use admitted::{Admitted, BlobContent, Lenience, ManifestContent, Page};
pub use allowed::{Administrator, Allowed, Insight};
pub use counters::{Counters, Waits};
pub use error::{Error, Withheld};
pub use judge::Overdue;
pub use push::{ManifestPut, ManifestStored};
pub use revision::Revision;
pub use tend::Notice;
pub use writer::UploadWriter;

use admission::{Judged, VerdictKey};
use current::Current;
use pull::{Answer, BlobTicket, Question};

/// What the registry is made of.
pub struct Parts {
    /// Where bytes are.
    pub store: Arc<dyn Store>,
    /// Where small mutable facts are.
    pub metadata: Arc<dyn Metadata>,
    /// What tells signatures from other bytes.
    pub verifier: Arc<dyn Verifier>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The numbers.
    pub limits: Limits,
    /// How many pushes a tag keeps.
    pub tag_history: usize,
    /// Artifact types of data.
    pub data_types: Vec<String>,
}

/// The registry.
pub struct Registry {
    store: Arc<dyn Store>,
    metadata: Arc<dyn Metadata>,
    verifier: Arc<dyn Verifier>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    tag_history: usize,
    data_types: Vec<String>,
    current: ArcSwap<Current>,
    swapping: Mutex<()>,
    epochs: Arc<epoch::Epochs>,
    verdicts: Cache<VerdictKey, Arc<Judged>>,
    findings: Cache<admission::FindingsKey, Arc<[Finding]>>,
    manifests: Cache<Question<Reference>, Arc<Answer<Admitted<ManifestContent>>>, ManifestWeight>,
    blobs: Cache<Question<Digest>, Arc<Answer<BlobTicket>>>,
    busy: upload::Busy,
    adrift: recovery::Adrift,
    trusted: recovery::Trusted,
    waiting: judge::Waiting,
    counters: Counters,
    changed: Arc<Notify>,
    writing_view: Arc<Mutex<()>>,
}

/// Verdicts that are remembered.
const VERDICTS: usize = 16_384;
/// Pieces of evidence whose findings are remembered.
const FINDINGS: usize = 8_192;
/// Manifest answers that are remembered, in bytes and in an estimate of their number.
const MANIFEST_BYTES: u64 = 16 << 20;
const MANIFESTS: usize = 4_096;
/// Blob answers that are remembered.
const BLOBS: usize = 16_384;

#[derive(Clone)]
struct ManifestWeight;

impl Weighter<Question<Reference>, Arc<Answer<Admitted<ManifestContent>>>> for ManifestWeight {
    fn weight(&self, _: &Question<Reference>, answer: &Arc<Answer<Admitted<ManifestContent>>>) -> u64 {
        answer.bytes().saturating_add(256)
    }
}

impl Registry {
    /// A registry over `parts` that enforces `revision`, which is kept as the last good one.
    pub async fn open(parts: Parts, revision: Revision) -> Result<Arc<Self>, Error> {
        let now = parts.clock.now();
        parts.metadata.accept_revision(StoredRevision { files: revision.files().clone(), at: now }).await?;
        let registry = Arc::new(Self {
            store: parts.store,
            metadata: parts.metadata,
            verifier: parts.verifier,
            clock: parts.clock,
            limits: parts.limits,
            tag_history: parts.tag_history,
            data_types: parts.data_types,
            current: ArcSwap::from_pointee(Current::first(revision)),
            swapping: Mutex::new(()),
            epochs: Arc::new(epoch::Epochs::new()),
            verdicts: Cache::new(VERDICTS),
            findings: Cache::new(FINDINGS),
            manifests: Cache::with_weighter(MANIFESTS, MANIFEST_BYTES, ManifestWeight),
            blobs: Cache::new(BLOBS),
            busy: upload::Busy::default(),
            adrift: recovery::Adrift::default(),
            trusted: recovery::Trusted::default(),
            waiting: judge::Waiting::default(),
            counters: Counters::default(),
            changed: Arc::new(Notify::new()),
            writing_view: Arc::default(),
        });
        registry.recover().await?;
        Ok(registry)
    }

    /// The revision in force.
    pub fn revision(&self) -> Arc<Revision> {
        Arc::clone(&self.current.load().revision)
    }

    fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// Puts a revision in force: what it touches is judged under it first, then it is kept as the last good one, then
    /// every answer from now on is its answer.
    pub async fn swap(&self, revision: Revision) -> Result<(), Error> {
        let _one_at_a_time = self.swapping.lock().await;
        let next = Arc::new(Current::after(&self.current(), revision));
        if next.is_touched() {
            // What can't be judged now is refused at its pull. It must not keep a key in force that was taken away.
            drop(self.judge_tags(&next).await);
        }
        let files = next.revision.files().clone();
        self.metadata.accept_revision(StoredRevision { files, at: self.clock.now() }).await?;
        self.current.store(next);
        Ok(())
    }

    /// What was counted.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Pushes that wait for evidence.
    pub fn waits(&self) -> Waits {
        let (pushes, since) = self.waiting.totals();
        Waits { pushes, oldest: since.map(|since| self.clock.now().since(since)) }
    }

    /// What is stored, in counts.
    pub async fn totals(&self) -> Result<crate::metadata::Totals, Error> {
        Ok(self.metadata.totals().await?)
    }

    /// Bytes that are free where bytes are stored, if it can be told.
    pub async fn free_bytes(&self) -> Result<Option<u64>, Error> {
        Ok(self.store.free_bytes().await?)
    }
}
