//! The verbs of the registry, without HTTP.
//!
//! Who may is told by [`Allowed`]; what may be served is told by [`Admitted`]. Neither can be made elsewhere.

mod account;
mod admission;
mod admitted;
mod allowed;
mod audit;
mod backup;
mod blob;
mod cases;
mod changed;
mod classify;
mod commit;
mod counters;
mod current;
mod delete;
mod epoch;
mod error;
mod explain;
mod export;
mod garbage;
mod gathering;
mod healing;
mod housekeeping;
mod import;
mod judge;
mod list;
mod lost;
mod mount;
mod objects;
mod offline;
mod operate;
mod pull;
mod push;
mod rebuild;
mod recovery;
mod referrers;
mod resolve;
mod revision;
mod shelf;
mod take;
mod tend;
#[cfg(test)]
mod tests;
mod trust_warnings;
mod upload;
mod view;
mod waiting;
mod warnings;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::config::Limits;
use crate::gate::Finding;
use crate::metadata::{Metadata, StoredRevision};
use crate::oci::{Digest, Reference, RepositoryName};
use crate::store::Store;
use crate::verify::Verifier;

pub use account::{Account, Granted, Passed, PolicyLine};
pub use admitted::{Admitted, Begin, BlobContent, Lenience, ManifestContent, Next, Page};
pub use allowed::{Administrator, Allowed, Insight};
pub use backup::{BackedUp, NotBackedUp, backup};
pub use counters::{Counters, Waits};
pub use error::{Error, Withheld};
pub use export::{Exported, export};
pub use housekeeping::{
    AuditRecord, CollectedBlob, Collection, Evidence, Housekeeping, News, QuarantinedObject, ScrubPassReport,
    ScrubStatus, Session, Unheld, Waiting,
};
pub use import::import;
pub use lost::{Lost, lost};
pub use objects::{Hashed, RottenObject};
pub use push::{ManifestPut, ManifestStored};
pub use rebuild::{LAYOUTS_DO_NOT_TELL, Rebuild, Rebuilt, rebuild};
pub use referrers::ReferrersPage;
pub use revision::Revision;
pub use take::{Refused, Taken};
pub use tend::Notice;
pub use waiting::Overdue;
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
    /// Whether the layers of an image may be absent when it is pushed.
    pub sparse_images: bool,
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
    sparse_images: bool,
    data_types: Vec<String>,
    current: ArcSwap<Current>,
    swapping: Mutex<()>,
    epochs: Arc<epoch::Epochs>,
    verdicts: Cache<VerdictKey, Arc<Judged>>,
    findings: Cache<admission::FindingsKey, Arc<[Finding]>>,
    manifests: Cache<Question<Reference>, Arc<Answer<Admitted<ManifestContent>>>, ManifestWeight>,
    blobs: Cache<Question<Digest>, Arc<Answer<BlobTicket>>>,
    busy: upload::Busy,
    gathering: gathering::Gathering,
    adrift: recovery::Adrift,
    trusted: recovery::Trusted,
    waiting: waiting::Waiting,
    /// How far what a revision touches was judged, while any is left.
    unjudged: Mutex<Option<judge::Place>>,
    counters: Counters,
    refusals: audit::Refusals,
    changed: Arc<changed::Changed>,
    housekeeping: Housekeeping,
    writing_view: Arc<Mutex<()>>,
}

/// How long a revision waits for what it touches to be judged; the rest is judged in the background, under it.
const SWAP_WAITS: Duration = Duration::from_secs(10);
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
        let (epochs, changed) = (Arc::new(epoch::Epochs::new()), Arc::new(changed::Changed::default()));
        let housekeeping = Housekeeping::beside(
            Arc::clone(&parts.store),
            Arc::clone(&parts.metadata),
            Arc::clone(&parts.clock),
            parts.limits.clone(),
            (Arc::clone(&epochs), Arc::clone(&changed)),
        );
        let known = parts.metadata.accepted_revision().await?.is_some_and(|known| known.files == *revision.files());
        let judged = known && parts.metadata.is_revision_judged().await?;
        if !known {
            let (files, at) = (revision.files().clone(), parts.clock.now());
            let keep = || async {
                let revision = StoredRevision { files: files.clone(), at };
                Ok(parts.metadata.accept_revision(revision).await?)
            };
            housekeeping.with_reserve(keep).await?;
        }
        let registry = Arc::new(Self {
            store: parts.store,
            metadata: parts.metadata,
            verifier: parts.verifier,
            clock: parts.clock,
            limits: parts.limits,
            tag_history: parts.tag_history,
            sparse_images: parts.sparse_images,
            data_types: parts.data_types,
            current: ArcSwap::from_pointee(Current::first(revision, judged)),
            swapping: Mutex::new(()),
            epochs,
            verdicts: Cache::new(VERDICTS),
            findings: Cache::new(FINDINGS),
            manifests: Cache::with_weighter(MANIFESTS, MANIFEST_BYTES, ManifestWeight),
            blobs: Cache::new(BLOBS),
            busy: upload::Busy::default(),
            gathering: gathering::Gathering::default(),
            adrift: recovery::Adrift::default(),
            trusted: recovery::Trusted::default(),
            waiting: waiting::Waiting::default(),
            unjudged: Mutex::new((!judged).then(judge::Place::default)),
            counters: Counters::default(),
            refusals: audit::Refusals::default(),
            changed,
            housekeeping,
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
        let before = self.current();
        let next = Arc::new(Current::after(&before, revision));
        let whole = self.judge_touched(&before, &next).await;
        let mut unjudged = self.unjudged.lock().await;
        let files = next.revision.files().clone();
        let keep = || async {
            let revision = StoredRevision { files: files.clone(), at: self.clock.now() };
            Ok(self.metadata.accept_revision(revision).await?)
        };
        self.housekeeping.with_reserve(keep).await?;
        let whole = whole && unjudged.is_none();
        if whole {
            next.note_judged();
        } else {
            *unjudged = Some(judge::Place::default());
        }
        self.current.store(next);
        self.changed.tell();
        if whole { Ok(self.metadata.note_revision_judged().await?) } else { Ok(()) }
    }

    /// Judges what `next` touches, as far as it can be done without keeping the revision waiting; says whether that is all.
    async fn judge_touched(&self, before: &Current, next: &Current) -> bool {
        let touched = next.revision.touched_since(&before.revision);
        let asked = |repository: &RepositoryName| {
            let already = before.revision.requirements_for(repository);
            let mut names = next.revision.requirements_for(repository);
            names.retain(|name| touched.contains(name) || !already.contains(name));
            names
        };
        // What can't be judged now is refused at its pull. It must not keep a key in force that was taken away.
        let mut place = judge::Place::default();
        tokio::time::timeout(SWAP_WAITS, self.judge_evidence(next, asked, &mut place)).await.is_ok()
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
