//! A seam for tests: metadata that can't answer when a test says so.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    Audited, Blob, BlobDeleted, By, CommitBlob, Committed, Content, DeleteTag, DirtyView, Garbage, Graced, Holder,
    Intent, Metadata, PlacedManifest, Push, Put, PutManifest, Quarantined, Referrer, Refusal, Reserved, ScrubPass,
    StoredManifest, StoredRevision, Swept, TagDeleted, ToJudge, Totals, Trail, Unavailable, Upload, WaitingIn,
    WaitingPush,
};
use crate::clock::Timestamp;
use crate::gate::{RequirementName, Who};
use crate::interruption::{Fault, Interruptions};
use crate::oci::{Digest, RepositoryName, Tag};

/// Metadata that answers [`Unavailable`] to everything while it is switched off, changing nothing. For tests of what
/// the rest of Hallmark does then. Each call can be interrupted on its own.
#[derive(Debug)]
pub struct Failing<M> {
    inner: M,
    fails: AtomicBool,
    interruptions: Interruptions,
    commits_fail: AtomicBool,
}

impl<M: Metadata> Failing<M> {
    /// Answers as `inner` does, until [`Failing::fail`].
    pub fn new(inner: M) -> Self {
        Self {
            inner,
            fails: AtomicBool::new(false),
            commits_fail: AtomicBool::new(false),
            interruptions: Interruptions::default(),
        }
    }

    /// What comes between a caller and each call.
    pub const fn interruptions(&self) -> &Interruptions {
        &self.interruptions
    }

    /// What answers.
    pub const fn inner(&self) -> &M {
        &self.inner
    }

    /// Whether every call fails from now on.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// Whether no blob is committed from now on, though everything else works.
    pub fn fail_commits(&self, fails: bool) {
        self.commits_fail.store(fails, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), Unavailable> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(Unavailable::Broken("a test said so".to_owned()));
        }
        Ok(())
    }

    fn check_commit(&self) -> Result<(), Unavailable> {
        if self.commits_fail.load(Ordering::SeqCst) {
            return Err(Unavailable::Broken("a test said so".to_owned()));
        }
        Ok(())
    }
}

impl From<Fault> for Unavailable {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Refused | Fault::Medium | Fault::Unanswered => Self::Broken("a test said so".to_owned()),
        }
    }
}

macro_rules! checked {
    ($($(#[$when:ident])? $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl<M: Metadata> Metadata for Failing<M> {$(
            async fn $name(&self, $($argument: $type),*) -> Result<$answer, Unavailable> {
                self.check()?;
                $(self.$when()?;)?
                self.interruptions.around(stringify!($name), self.inner.$name($($argument),*)).await
            }
        )*}
    };
}

checked! {
    begin_upload(upload: Upload, cap: Option<u64>) -> bool;
    upload(id: Uuid) -> Option<Upload>;
    progress_upload(id: Uuid, offset: u64, hash: Vec<u8>, at: Timestamp) -> bool;
    cancel_upload(id: Uuid) -> bool;
    reserve(digest: Digest) -> Reserved;
    #[check_commit] commit_blob(blob: CommitBlob) -> Committed;
    blob(repository: &RepositoryName, digest: &Digest) -> Option<Blob>;
    uploaded_by(repository: &RepositoryName, digest: &Digest, who: &Who) -> bool;
    touch_blob(repository: &RepositoryName, digest: &Digest, lease: Timestamp, at: Timestamp) -> ();
    repositories_with(digest: &Digest, limit: usize) -> Vec<RepositoryName>;
    delete_blob(repository: &RepositoryName, digest: &Digest, by: &By) -> BlobDeleted;
    put_manifest(manifest: PutManifest) -> Put;
    manifest(repository: &RepositoryName, digest: &Digest) -> Option<StoredManifest>;
    pushes(repository: &RepositoryName, tag: &Tag) -> Vec<Push>;
    delete_manifest(repository: &RepositoryName, digest: &Digest, by: &By) -> bool;
    delete_tag(deletion: DeleteTag) -> TagDeleted;
    tags_of(repository: &RepositoryName, digest: &Digest) -> Vec<Tag>;
    tags(repository: &RepositoryName, after: Option<&str>, limit: usize) -> Vec<(Tag, Digest)>;
    tags_once_met(repository: &RepositoryName, requirement: &RequirementName, after: Option<&str>, limit: usize) -> Vec<(Tag, Digest)>;
    repositories(after: Option<&str>, limit: usize) -> Vec<RepositoryName>;
    repository_exists(repository: &RepositoryName) -> bool;
    referrers(repository: &RepositoryName, subject: &Digest, after: Option<&Digest>, limit: usize) -> Vec<Referrer>;
    evidence(repository: &RepositoryName, subject: &Digest, limit: usize) -> Vec<Digest>;
    holders(repository: &RepositoryName, digest: &Digest, limit: usize) -> Vec<Holder>;
    holders_once_met(repository: &RepositoryName, digest: &Digest, limit: usize) -> Vec<Digest>;
    children(repository: &RepositoryName, digest: &Digest, limit: usize) -> Vec<Digest>;
    ancestors(repository: &RepositoryName, digest: &Digest, depth: usize, limit: usize) -> Vec<Digest>;
    generation(repository: &RepositoryName, digest: &Digest, depth: usize, limit: usize) -> u64;
    record_verified(repository: &RepositoryName, evidence: &Digest) -> ();
    record_met(repository: &RepositoryName, digest: &Digest, requirements: &[RequirementName], at: Timestamp) -> ();
    met(repository: &RepositoryName, digest: &Digest) -> Vec<RequirementName>;
    to_judge(at: Timestamp, limit: usize) -> Vec<ToJudge>;
    to_judge_in(repository: &RepositoryName, at: Timestamp, limit: usize) -> Vec<ToJudge>;
    next_to_judge() -> Option<Timestamp>;
    judged(judged: &[(ToJudge, Option<Timestamp>)]) -> ();
    judge_again(repository: &RepositoryName, digest: &Digest, at: Timestamp) -> ();
    sweep(at: Timestamp, uploads_before: Timestamp, limit: usize) -> Swept;
    forget_trash(keys: &[String]) -> ();
    dirty_views() -> Vec<RepositoryName>;
    dirty_view(repository: &RepositoryName) -> Option<DirtyView>;
    show_again(repository: &RepositoryName, digests: &[Digest]) -> ();
    clean_view(repository: &RepositoryName, sequence: u64) -> ();
    contents(after: Option<&Digest>, limit: usize) -> Vec<Content>;
    placed_manifests(after: u64, limit: usize) -> Vec<PlacedManifest>;
    quarantine_content(digest: &Digest, key: &str, why: &str, at: Timestamp) -> Option<Vec<RepositoryName>>;
    conceal_content(digest: &Digest) -> ();
    replace_content(digest: &Digest, rotten: &str, key: &str, from: &'static str, at: Timestamp) -> bool;
    quarantine_manifest(repository: &RepositoryName, digest: &Digest, found: &[u8], why: &str, at: Timestamp) -> bool;
    replace_manifest(repository: &RepositoryName, digest: &Digest, bytes: Bytes, from: &'static str, at: Timestamp) -> bool;
    manifest_copies(repository: &RepositoryName, digest: &Digest, limit: usize) -> Vec<RepositoryName>;
    quarantined(limit: usize) -> Vec<Quarantined>;
    quarantined_count() -> u64;
    holds_quarantined(repository: &RepositoryName, digest: &Digest, depth: usize, limit: usize) -> bool;
    trash_unnamed(keys: &[String]) -> u64;
    scrub_pass() -> Option<ScrubPass>;
    note_scrub_pass(pass: ScrubPass) -> ();
    garbage(at: Timestamp, uploads_before: Timestamp, limit: usize) -> Garbage;
    graced(at: Timestamp) -> Graced;
    end_grace(at: Timestamp, limit: usize) -> u64;
    accept_revision(revision: StoredRevision) -> ();
    accepted_revision() -> Option<StoredRevision>;
    intend(key: String, upload: Uuid) -> ();
    intents(limit: usize) -> Vec<Intent>;
    forget_intents(keys: &[String]) -> ();
    fresh_generation() -> u64;
    end_whole_uploads() -> ();
    totals() -> Totals;
    close() -> ();
    manifests(repository: &RepositoryName, after: Option<&Digest>, limit: usize) -> Vec<StoredManifest>;
    waiting(after: Option<&RepositoryName>, from: Timestamp, limit: usize) -> Vec<WaitingIn>;
    waiting_pushes(repository: &RepositoryName, from: Timestamp, after: Option<&Tag>, limit: usize) -> Vec<WaitingPush>;
    subjects_of_evidence(repository: &RepositoryName, after: Option<&Digest>, limit: usize) -> Vec<Digest>;
    referrers_of_type(repository: &RepositoryName, subject: &Digest, artifact_type: &str, after: Option<&Digest>, limit: usize) -> Vec<Referrer>;
    note_revision_judged() -> ();
    is_revision_judged() -> bool;
    audit(trail: Trail, after: u64, limit: usize) -> Vec<Audited>;
    note_refusals(refusals: Vec<Refusal>, keep: u64) -> ();
    prune_audit(keep: u64, limit: usize) -> bool;
}
