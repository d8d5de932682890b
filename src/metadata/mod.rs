//! Small mutable facts: tags, links, referrers, what was met; one transaction is the commit.
//!
//! The contract of [`Metadata`] is what every engine is tested against. Operations are whole: each is one
//! transaction, and what a caller reads afterwards holds all of it or none.

mod audit;
mod blob;
#[cfg(test)]
pub(crate) mod contract;
mod failing;
mod garbage;
mod manifest;
mod rot;
mod sqlite;
mod tag;
mod upload;
mod view;
mod waiting;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::gate::{RequirementName, Who};
use crate::oci::{Digest, RepositoryName, Tag};

pub use self::audit::{Audited, By, Event, Refusal, Trail};
pub use self::blob::{Blob, BlobDeleted, CommitBlob, Committed};
pub use self::failing::Failing;
pub use self::garbage::{Garbage, GarbageBlob, Graced, Leased};
pub use self::manifest::{
    Holder, Kind, MANIFESTS_BYTES, OnlyIf, Put, PutLink, PutManifest, REFERRERS_BYTES, Referrer, StoredManifest,
};
pub use self::rot::{Content, PlacedManifest, Quarantined, ScrubPass};
pub use self::sqlite::{FILE, Sqlite};
pub use self::tag::{DeleteTag, Push, TagDeleted};
pub use self::upload::{Intent, Reserved, Upload};
pub use self::view::{DirtyView, ViewChange, ViewEntry};
pub use self::waiting::{ToJudge, WaitingIn, WaitingPush};

/// Why the metadata could not answer: 503, never "absent".
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// The medium has no room for the change: 507. What is stored can be read.
    #[error("no space is left for the metadata")]
    Full,
    /// Anything else.
    #[error("the metadata can't answer: {0}")]
    Broken(String),
}

/// What was removed by a sweep: the caller removes the bytes, then calls [`Metadata::forget_trash`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keys of the store that nothing names any more.
    pub trash: Vec<String>,
    /// Sessions that nobody went on with.
    pub uploads: Vec<Uuid>,
    /// Orphaned evidence, by repository.
    pub orphans: Vec<(RepositoryName, Digest)>,
    /// Repositories in which anything changed.
    pub repositories: Vec<RepositoryName>,
}

/// Counts for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Repositories.
    pub repositories: u64,
    /// Manifests, over all repositories.
    pub manifests: u64,
    /// Tags, over all repositories.
    pub tags: u64,
    /// Distinct blobs.
    pub blobs: u64,
    /// Bytes of distinct blobs.
    pub blob_bytes: u64,
    /// Open upload sessions.
    pub uploads: u64,
}

/// A revision of policy and trust, as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRevision {
    /// The files by name, whole.
    pub files: BTreeMap<String, Vec<u8>>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Small mutable facts.
///
/// - **Durability.** `commit_blob`, `put_manifest`, `delete_*`, `record_*`, `accept_revision` survive a power cut when
///   they return. Upload sessions and intents (`begin_upload`, `progress_upload`, `intend`) survive the death of the
///   process only.
/// - **Order.** A call that returned is seen by every call that begins later.
/// - **Errors.** [`Unavailable`] means that it is not known whether the change was made; nothing half-made is ever seen.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// Opens a session. Returns false, changing nothing, if `cap` sessions of the same person with `sign_only` are open.
    async fn begin_upload(&self, upload: Upload, cap: Option<u64>) -> Result<bool, Unavailable>;
    /// A session.
    async fn upload(&self, id: Uuid) -> Result<Option<Upload>, Unavailable>;
    /// Notes how far a session is. False if it is gone.
    async fn progress_upload(&self, id: Uuid, offset: u64, hash: Vec<u8>, at: Timestamp) -> Result<bool, Unavailable>;
    /// Ends a session without a blob. False if it is gone.
    async fn cancel_upload(&self, id: Uuid) -> Result<bool, Unavailable>;
    /// Asks whether content is stored, else for a generation to store it under.
    async fn reserve(&self, digest: Digest) -> Result<Reserved, Unavailable>;

    /// Makes a blob part of a repository, ends its session and the intent of its key, notes who uploaded it and extends
    /// its lease.
    async fn commit_blob(&self, blob: CommitBlob) -> Result<Committed, Unavailable>;
    /// A blob of a repository.
    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Blob>, Unavailable>;
    /// Whether this person uploaded (or mounted) that blob in this repository.
    async fn uploaded_by(&self, repository: &RepositoryName, digest: &Digest, who: &Who) -> Result<bool, Unavailable>;
    /// Extends the lease of a blob that nothing holds, if less than half of it is left. No-op otherwise.
    async fn touch_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        lease: Timestamp,
        at: Timestamp,
    ) -> Result<(), Unavailable>;
    /// Repositories that have the blob, at most `limit`.
    async fn repositories_with(&self, digest: &Digest, limit: usize) -> Result<Vec<RepositoryName>, Unavailable>;
    /// Takes a blob out of a repository.
    async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        by: &By,
    ) -> Result<BlobDeleted, Unavailable>;

    /// Stores a manifest with its links and tags; checks in the same transaction that its condition holds, and that
    /// required content is present.
    /// Bumps the generation of the manifest, and of the subject of evidence; notes that the subject (and the manifest,
    /// if it is an object) is to be judged, until [`Metadata::judged`].
    /// A tag whose newest push is this digest already gets no second entry.
    async fn put_manifest(&self, manifest: PutManifest) -> Result<Put, Unavailable>;
    /// A manifest of a repository.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Unavailable>;
    /// The pushes of a tag that are remembered, newest first; empty if there is no such tag.
    async fn pushes(&self, repository: &RepositoryName, tag: &Tag) -> Result<Vec<Push>, Unavailable>;
    /// Takes a manifest out of a repository, out of every tag's history, with its links. The generations of its
    /// subject and of what it held are bumped. False if absent.
    async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest, by: &By)
    -> Result<bool, Unavailable>;
    /// Deletes a tag with its history, as [`Metadata::delete_manifest`] does. With one that is kept for evidence goes what
    /// has no other handle: what was pushed under it, also what a later push had replaced. Objects stay, and referrers that
    /// were never under it.
    async fn delete_tag(&self, deletion: DeleteTag) -> Result<TagDeleted, Unavailable>;
    /// Tags with this digest anywhere in their history.
    async fn tags_of(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>, Unavailable>;

    /// Tags after `after`, at most `limit`, each with its newest push: in lexical order, which ignores the case of letters
    /// and puts those that differ in case alone in byte order.
    async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, Unavailable>;
    /// As [`Metadata::tags`], only those that may resolve under a requirement: all that remember a push which ever met it,
    /// or which is evidence or data about a digest of which that was noted, stored or not, directly or through evidence and
    /// data; perhaps some that did so once.
    async fn tags_once_met(
        &self,
        repository: &RepositoryName,
        requirement: &RequirementName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, Unavailable>;
    /// Repositories after `after` in byte order, at most `limit`.
    async fn repositories(&self, after: Option<&str>, limit: usize) -> Result<Vec<RepositoryName>, Unavailable>;
    /// Whether the repository exists: something was once stored in it.
    async fn repository_exists(&self, repository: &RepositoryName) -> Result<bool, Unavailable>;
    /// Manifests whose own `subject` is `subject`, oldest first, after `after` in that order: at most `limit`, and no more
    /// after [`REFERRERS_BYTES`] of annotations; none at the end alone.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Referrer>, Unavailable>;

    /// Evidence about `subject` (never data, never lists of referrers), what once verified first, then newest first, at most `limit`.
    async fn evidence(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable>;
    /// Manifests that hold `digest` through config, layers or manifests, objects first, at most `limit`.
    async fn holders(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Holder>, Unavailable>;
    /// Objects that hold `digest` and ever met a requirement, newest first, at most `limit`: of many that hold a shared
    /// layer, those that are worth judging first.
    async fn holders_once_met(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable>;
    /// Manifests (not blobs) that `digest` holds through `manifests` and that are present, at most `limit`.
    async fn children(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable>;
    /// Object indexes that reach `digest` through `manifests`, nearest first, at most `limit` and `depth` steps away; without `digest` itself.
    async fn ancestors(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable>;
    /// A number that changes whenever evidence about `digest` or about one of its ancestors comes or goes, or an ancestor does.
    async fn generation(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<u64, Unavailable>;

    /// Notes that evidence verified once: it is considered first from now on.
    async fn record_verified(&self, repository: &RepositoryName, evidence: &Digest) -> Result<(), Unavailable>;
    /// Notes that a digest met requirements. Kept until the manifest is deleted; of one that is not stored,
    /// [`Metadata::tags_once_met`] alone takes notice.
    async fn record_met(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        requirements: &[RequirementName],
        at: Timestamp,
    ) -> Result<(), Unavailable>;
    /// The requirements that a digest ever met, by name.
    async fn met(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<RequirementName>, Unavailable>;
    /// What is to be judged at `at`, because evidence or objects came or because the moment came for which it was noted:
    /// what came first, the oldest first, at most `limit`.
    async fn to_judge(&self, at: Timestamp, limit: usize) -> Result<Vec<ToJudge>, Unavailable>;
    /// The same of one repository, in no order.
    async fn to_judge_in(
        &self,
        repository: &RepositoryName,
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<ToJudge>, Unavailable>;
    /// When [`Metadata::to_judge`] has something next, if no more comes.
    async fn next_to_judge(&self) -> Result<Option<Timestamp>, Unavailable>;
    /// Notes that these were judged, each until the moment at which it is to be judged again, if there is one. Nothing is
    /// noted of those about which something came after they were read. Survives the death of the process only.
    async fn judged(&self, judged: &[(ToJudge, Option<Timestamp>)]) -> Result<(), Unavailable>;
    /// Notes that a digest is to be judged at `at`, or earlier if that was noted before.
    async fn judge_again(&self, repository: &RepositoryName, digest: &Digest, at: Timestamp)
    -> Result<(), Unavailable>;

    /// Deletes sessions last written before `uploads_before`, blobs that nothing holds and whose lease ended, orphaned
    /// evidence whose lease ended, at most `limit` of each; contents that no repository has go to the trash. Takes what is in the trash already along.
    async fn sweep(&self, at: Timestamp, uploads_before: Timestamp, limit: usize) -> Result<Swept, Unavailable>;
    /// Forgets keys whose bytes were removed.
    async fn forget_trash(&self, keys: &[String]) -> Result<(), Unavailable>;

    /// The repositories whose layout is behind, the longest waiting first.
    async fn dirty_views(&self) -> Result<Vec<RepositoryName>, Unavailable>;
    /// What the layout of a repository is behind by. None if it is not.
    async fn dirty_view(&self, repository: &RepositoryName) -> Result<Option<DirtyView>, Unavailable>;
    /// Notes that the layout of a repository does not show these digests as it should, and not its `index.json` either. Of a
    /// repository that is not there nothing is noted. Survives the death of the process only.
    async fn show_again(&self, repository: &RepositoryName, digests: &[Digest]) -> Result<(), Unavailable>;
    /// The layout shows everything up to `sequence`.
    async fn clean_view(&self, repository: &RepositoryName, sequence: u64) -> Result<(), Unavailable>;

    /// Keeps a revision as the last good one.
    async fn accept_revision(&self, revision: StoredRevision) -> Result<(), Unavailable>;
    /// The last good revision.
    async fn accepted_revision(&self) -> Result<Option<StoredRevision>, Unavailable>;

    // What keeps content sound. A quarantined content is live to everything but readers and new manifests: it is held,
    // counted, mounted and swept as before, and absent to `put_manifest` where it must be present. `reserve` speaks of it
    // as of content that is not stored, so that the next upload heals it: `commit_blob` with a fresh key puts that in the
    // place of the old one, which goes to the trash.

    /// Every stored content, whichever repositories have it, in the order of their digests' bytes, after `after`, at most
    /// `limit`.
    async fn contents(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<Content>, Unavailable>;
    /// Manifests of all repositories after the place `after`, in the order in which they were stored: at most `limit`, and no
    /// more after [`MANIFESTS_BYTES`]; none at the end alone.
    async fn placed_manifests(&self, after: u64, limit: usize) -> Result<Vec<PlacedManifest>, Unavailable>;
    /// Notes that what is under `key` is not `digest`, and tells the repositories that have it. `None`, changing
    /// nothing, if the key is not the content's (any more), or it is quarantined already.
    async fn quarantine_content(
        &self,
        digest: &Digest,
        key: &str,
        why: &str,
        at: Timestamp,
    ) -> Result<Option<Vec<RepositoryName>>, Unavailable>;
    /// Takes a quarantined content out of the layouts of the repositories that have it.
    async fn conceal_content(&self, digest: &Digest) -> Result<(), Unavailable>;
    /// Puts the sound bytes under `key`, which were found in `from`, in the place of a content that is quarantined under
    /// `rotten`, which goes to the trash, and its layouts behind; the two may be the same, if what was there is sound
    /// again. False, changing nothing, if it is not quarantined under that key (any more): another `key` is surplus then,
    /// remove it.
    async fn replace_content(
        &self,
        digest: &Digest,
        rotten: &str,
        key: &str,
        from: &'static str,
        at: Timestamp,
    ) -> Result<bool, Unavailable>;
    /// Notes that the bytes of a manifest, which are `found`, are not `digest`. False if it was noted, the manifest is
    /// gone, or its bytes are others (by now).
    async fn quarantine_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        found: &[u8],
        why: &str,
        at: Timestamp,
    ) -> Result<bool, Unavailable>;
    /// Puts `bytes`, which hash to `digest` and were found in `from`, in the place of those of a quarantined manifest.
    /// False, changing nothing, if it is not quarantined (any more). Pushing the manifest again does the same.
    async fn replace_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
        from: &'static str,
        at: Timestamp,
    ) -> Result<bool, Unavailable>;
    /// Other repositories than `repository` that have the manifest, at most `limit`.
    async fn manifest_copies(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, Unavailable>;
    /// What is quarantined now, the oldest first, at most `limit`.
    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, Unavailable>;
    /// How much is quarantined now.
    async fn quarantined_count(&self) -> Result<u64, Unavailable>;
    /// Whether `digest`, or a manifest that it reaches through `manifests`, holds what is quarantined: content, or a manifest
    /// of the repository. At most `limit` manifests are looked at, none of them more than `depth` steps away.
    async fn holds_quarantined(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<bool, Unavailable>;
    /// Puts those of `keys` in the trash that no content, no intent and no trash names, and counts them. A commit that
    /// comes with one afterwards is told that it is gone.
    async fn trash_unnamed(&self, keys: &[String]) -> Result<u64, Unavailable>;
    /// The pass of the scrub that is under way, or the last one.
    async fn scrub_pass(&self) -> Result<Option<ScrubPass>, Unavailable>;
    /// Notes how far a pass is. Survives the death of the process only: what is checked twice does no harm.
    async fn note_scrub_pass(&self, pass: ScrubPass) -> Result<(), Unavailable>;
    /// What [`Metadata::sweep`] would take now, at most `limit` of each; changes nothing.
    async fn garbage(&self, at: Timestamp, uploads_before: Timestamp, limit: usize) -> Result<Garbage, Unavailable>;
    /// What nothing holds and stays for its lease: for the grace that a deletion leaves, or for longer.
    async fn graced(&self, at: Timestamp) -> Result<Graced, Unavailable>;
    /// Ends the leases that end within that grace, at most `limit` of them, and says how many. What they were of can be
    /// swept at `at`. Survives the death of the process only.
    async fn end_grace(&self, at: Timestamp, limit: usize) -> Result<u64, Unavailable>;
    /// Notes that the bytes of `upload` are about to be sealed under `key`, which [`Metadata::commit_blob`] forgets: so
    /// that whatever a crash leaves between the two is found without a walk over the store.
    async fn intend(&self, key: String, upload: Uuid) -> Result<(), Unavailable>;
    /// Keys that were intended and that no commit has named, at most `limit`. Those of uploads that are under way now
    /// are among them.
    async fn intents(&self, limit: usize) -> Result<Vec<Intent>, Unavailable>;
    /// Forgets intents under whose keys no bytes are.
    async fn forget_intents(&self, keys: &[String]) -> Result<(), Unavailable>;
    /// A generation that was never used before: for content whose bytes were lost though it is live.
    async fn fresh_generation(&self) -> Result<u64, Unavailable>;
    /// Ends every session that is whole or nothing: at start-up nobody can go on with them.
    async fn end_whole_uploads(&self) -> Result<(), Unavailable>;

    /// Counts.
    async fn totals(&self) -> Result<Totals, Unavailable>;
    /// Writes back what is buffered, at the end.
    async fn close(&self) -> Result<(), Unavailable>;

    // What is read of a whole repository or of all: for export, backup and rebuild.

    /// Manifests of a repository in the order of their digests' bytes, after `after`: at most `limit`, and no more after
    /// [`MANIFESTS_BYTES`]; none at the end alone.
    async fn manifests(
        &self,
        repository: &RepositoryName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<StoredManifest>, Unavailable>;

    /// Repositories in which pushes wait, in the order in which they were made, at most `limit`, each with the first that
    /// was pushed at `from` or after. A push waits while it is the newest of its tag, is of an object, and its digest never
    /// met a requirement; whether any is asked for there is not known here.
    async fn waiting(
        &self,
        after: Option<&RepositoryName>,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingIn>, Unavailable>;
    /// Pushes of a repository that wait and were pushed at `from` or after, oldest first, those of one moment by tag;
    /// without those of the moment `from` up to the tag `after`; at most `limit`.
    async fn waiting_pushes(
        &self,
        repository: &RepositoryName,
        from: Timestamp,
        after: Option<&Tag>,
        limit: usize,
    ) -> Result<Vec<WaitingPush>, Unavailable>;
    /// Digests about which evidence is stored, each once, after `after` in the order of their bytes, at most `limit`.
    async fn subjects_of_evidence(
        &self,
        repository: &RepositoryName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable>;
    /// As [`Metadata::referrers`], only those of this artifact type.
    async fn referrers_of_type(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: &str,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Referrer>, Unavailable>;
    /// Notes that all that the accepted revision touches was judged under it; void once another is accepted. Survives
    /// the death of the process only.
    async fn note_revision_judged(&self) -> Result<(), Unavailable>;
    /// Whether that was noted.
    async fn is_revision_judged(&self) -> Result<bool, Unavailable>;

    // The audit trail. Whatever changes what is stored notes it in the same transaction: `commit_blob`, `put_manifest`,
    // `delete_*`, `sweep`, `quarantine_*`, `replace_*`. What leaves everything as it was notes nothing.

    /// Entries of a trail after the number `after`, oldest first, at most `limit`.
    async fn audit(&self, trail: Trail, after: u64, limit: usize) -> Result<Vec<Audited>, Unavailable>;
    /// Notes what was refused, and keeps `keep` refusals: where there are more, the oldest of whoever has the most go.
    /// Survives the death of the process only.
    async fn note_refusals(&self, refusals: Vec<Refusal>, keep: u64) -> Result<(), Unavailable>;
    /// Removes the oldest changes but the newest `keep` (one at the least), at most `limit`; says whether there may be
    /// more to remove. Survives the death of the process only.
    async fn prune_audit(&self, keep: u64, limit: usize) -> Result<bool, Unavailable>;
}
