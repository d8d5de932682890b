//! The contract, operation by operation: what is read inline, and what is one piece of work for the writer.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    Sqlite, audit, blobs, counters, garbage, intents, judgements, links, manifests, met, push, quarantine, removal,
    repositories, revisions, scrub, sweep, tags, uploads, view, waiting,
};
use crate::clock::Timestamp;
use crate::gate::{RequirementName, Who};
use crate::metadata::{
    Audited, Blob, BlobDeleted, By, CommitBlob, Committed, Content, DeleteTag, DirtyView, Garbage, Graced, Holder,
    Intent, Metadata, PlacedManifest, Push, Put, PutManifest, Quarantined, Referrer, Refusal, Reserved, ScrubPass,
    StoredManifest, StoredRevision, Swept, TagDeleted, ToJudge, Totals, Trail, Unavailable, Upload, WaitingIn,
    WaitingPush,
};
use crate::oci::{Digest, RepositoryName, Tag};

#[async_trait]
impl Metadata for Sqlite {
    async fn begin_upload(&self, upload: Upload, cap: Option<u64>) -> Result<bool, Unavailable> {
        self.note(move |c| uploads::begin(c, &upload, cap)).await
    }

    async fn upload(&self, id: Uuid) -> Result<Option<Upload>, Unavailable> {
        self.read(|c| uploads::find(c, id))
    }

    async fn progress_upload(&self, id: Uuid, offset: u64, hash: Vec<u8>, at: Timestamp) -> Result<bool, Unavailable> {
        self.note(move |c| uploads::progress(c, id, offset, &hash, at)).await
    }

    async fn cancel_upload(&self, id: Uuid) -> Result<bool, Unavailable> {
        self.note(move |c| uploads::end(c, id)).await
    }

    async fn reserve(&self, digest: Digest) -> Result<Reserved, Unavailable> {
        if let Some(live) = self.read(|c| blobs::sound_key(c, &digest))? {
            return Ok(Reserved::Live(live));
        }
        self.writer()?;
        Ok(Reserved::Fresh(self.next_generation()))
    }

    async fn commit_blob(&self, blob: CommitBlob) -> Result<Committed, Unavailable> {
        self.write(move |c| blobs::commit(c, &blob)).await
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Blob>, Unavailable> {
        self.read(|c| blobs::find(c, repository, digest))
    }

    async fn uploaded_by(&self, repository: &RepositoryName, digest: &Digest, who: &Who) -> Result<bool, Unavailable> {
        self.read(|c| blobs::uploaded_by(c, repository, digest, who))
    }

    async fn touch_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        lease: Timestamp,
        at: Timestamp,
    ) -> Result<(), Unavailable> {
        let Some(until) = self.read(|c| blobs::lease(c, repository, digest))? else { return Ok(()) };
        if until.since(at).saturating_mul(2) >= lease.since(at) {
            return Ok(());
        }
        let (repository, digest) = (repository.clone(), *digest);
        self.note(move |c| blobs::extend(c, &repository, &digest, lease)).await
    }

    async fn repositories_with(&self, digest: &Digest, limit: usize) -> Result<Vec<RepositoryName>, Unavailable> {
        self.read(|c| repositories::with_blob(c, digest, limit))
    }

    async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        by: &By,
    ) -> Result<BlobDeleted, Unavailable> {
        let (repository, digest, by) = (repository.clone(), *digest, by.clone());
        self.write(move |c| blobs::delete(c, &repository, &digest, &by)).await
    }

    async fn put_manifest(&self, manifest: PutManifest) -> Result<Put, Unavailable> {
        self.write(move |c| push::put(c, &manifest)).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, Unavailable> {
        self.read(|c| manifests::find(c, repository, digest))
    }

    async fn pushes(&self, repository: &RepositoryName, tag: &Tag) -> Result<Vec<Push>, Unavailable> {
        self.read(|c| tags::pushes(c, repository, tag))
    }

    async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        by: &By,
    ) -> Result<bool, Unavailable> {
        let (repository, digest, by) = (repository.clone(), *digest, by.clone());
        let blobs_until = by.at.plus(self.grace);
        self.write(move |c| removal::delete(c, &repository, &digest, blobs_until, &by)).await
    }

    async fn delete_tag(&self, deletion: DeleteTag) -> Result<TagDeleted, Unavailable> {
        let blobs_until = deletion.by.at.plus(self.grace);
        self.write(move |c| removal::untag(c, &deletion, blobs_until)).await
    }

    async fn tags_of(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<Tag>, Unavailable> {
        self.in_repository(repository, |c, id| tags::naming(c, id, digest))
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, Unavailable> {
        self.read(|c| tags::list(c, repository, after, limit))
    }

    async fn tags_once_met(
        &self,
        repository: &RepositoryName,
        requirement: &RequirementName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Tag, Digest)>, Unavailable> {
        self.read(|c| met::tags(c, repository, requirement, after, limit))
    }

    async fn repositories(&self, after: Option<&str>, limit: usize) -> Result<Vec<RepositoryName>, Unavailable> {
        self.read(|c| repositories::list(c, after, limit))
    }

    async fn repository_exists(&self, repository: &RepositoryName) -> Result<bool, Unavailable> {
        self.read(|c| Ok(repositories::find(c, repository)?.is_some()))
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Referrer>, Unavailable> {
        self.in_repository(repository, |c, id| manifests::referrers(c, id, subject, after, limit))
    }

    async fn evidence(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable> {
        self.read(|c| manifests::evidence(c, repository, subject, limit))
    }

    async fn holders(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Holder>, Unavailable> {
        self.in_repository(repository, |c, id| links::holders(c, id, digest, limit))
    }

    async fn holders_once_met(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable> {
        self.in_repository(repository, |c, id| links::holders_once_met(c, id, digest, limit))
    }

    async fn children(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable> {
        self.in_repository(repository, |c, id| links::children(c, id, digest, limit))
    }

    async fn ancestors(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable> {
        self.in_repository(repository, |c, id| links::ancestors(c, id, digest, depth, limit))
    }

    async fn generation(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<u64, Unavailable> {
        self.in_repository(repository, |c, id| links::generation(c, id, digest, depth, limit))
    }

    async fn record_verified(&self, repository: &RepositoryName, evidence: &Digest) -> Result<(), Unavailable> {
        if !self.read(|c| met::is_unverified(c, repository, evidence))? {
            return Ok(());
        }
        let (repository, evidence) = (repository.clone(), *evidence);
        self.write(move |c| met::record_verified(c, &repository, &evidence)).await
    }

    async fn record_met(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        requirements: &[RequirementName],
        at: Timestamp,
    ) -> Result<(), Unavailable> {
        let known = self.read(|c| met::of(c, repository, digest))?;
        let news: Vec<_> = requirements.iter().filter(|name| !known.contains(name)).cloned().collect();
        if news.is_empty() {
            return Ok(());
        }
        let (repository, digest) = (repository.clone(), *digest);
        self.write(move |c| met::record_met(c, &repository, &digest, &news, at)).await
    }

    async fn met(&self, repository: &RepositoryName, digest: &Digest) -> Result<Vec<RequirementName>, Unavailable> {
        self.read(|c| met::of(c, repository, digest))
    }

    async fn to_judge(&self, at: Timestamp, limit: usize) -> Result<Vec<ToJudge>, Unavailable> {
        self.read(|c| judgements::waiting(c, at, limit))
    }

    async fn to_judge_in(
        &self,
        repository: &RepositoryName,
        at: Timestamp,
        limit: usize,
    ) -> Result<Vec<ToJudge>, Unavailable> {
        self.read(|c| judgements::waiting_in(c, repository, at, limit))
    }

    async fn next_to_judge(&self) -> Result<Option<Timestamp>, Unavailable> {
        self.read(judgements::next)
    }

    async fn judged(&self, judged: &[(ToJudge, Option<Timestamp>)]) -> Result<(), Unavailable> {
        let judged = judged.to_vec();
        // Lost in a power cut, they are judged once more.
        self.note(move |c| judged.iter().try_for_each(|(judged, again)| judgements::judged(c, judged, *again))).await
    }

    async fn judge_again(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        at: Timestamp,
    ) -> Result<(), Unavailable> {
        let (repository, digest) = (repository.clone(), *digest);
        self.write(move |c| judgements::again(c, &repository, &digest, at)).await
    }

    async fn sweep(&self, at: Timestamp, uploads_before: Timestamp, limit: usize) -> Result<Swept, Unavailable> {
        // Durable before the caller removes bytes: rows that return after a power cut would name what is gone.
        let blobs_until = at.plus(self.grace);
        self.write(move |c| sweep::sweep(c, at, uploads_before, blobs_until, limit)).await
    }

    async fn forget_trash(&self, keys: &[String]) -> Result<(), Unavailable> {
        let keys = keys.to_vec();
        self.note(move |c| sweep::forget(c, &keys)).await
    }

    async fn dirty_views(&self) -> Result<Vec<RepositoryName>, Unavailable> {
        // As long as much is pending.
        self.read_long(view::all_dirty).await
    }

    async fn dirty_view(&self, repository: &RepositoryName) -> Result<Option<DirtyView>, Unavailable> {
        let repository = repository.clone();
        // As long as the repository is large.
        self.read_long(move |c| view::dirty(c, &repository)).await
    }

    async fn show_again(&self, repository: &RepositoryName, digests: &[Digest]) -> Result<(), Unavailable> {
        let (repository, digests) = (repository.clone(), digests.to_vec());
        self.note(move |c| view::show_again(c, &repository, &digests)).await
    }

    async fn clean_view(&self, repository: &RepositoryName, sequence: u64) -> Result<(), Unavailable> {
        let repository = repository.clone();
        self.note(move |c| view::clean(c, &repository, sequence)).await
    }

    async fn contents(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<Content>, Unavailable> {
        self.read(|c| scrub::contents(c, after, limit))
    }

    async fn placed_manifests(&self, after: u64, limit: usize) -> Result<Vec<PlacedManifest>, Unavailable> {
        self.read(|c| scrub::manifests(c, after, limit))
    }

    async fn quarantine_content(
        &self,
        digest: &Digest,
        key: &str,
        why: &str,
        at: Timestamp,
    ) -> Result<Option<Vec<RepositoryName>>, Unavailable> {
        let (digest, key, why) = (*digest, key.to_owned(), why.to_owned());
        self.write(move |c| quarantine::content(c, &digest, &key, &why, at)).await
    }

    async fn conceal_content(&self, digest: &Digest) -> Result<(), Unavailable> {
        let digest = *digest;
        self.write(move |c| view::mark_everywhere(c, &digest)).await
    }

    async fn replace_content(
        &self,
        digest: &Digest,
        rotten: &str,
        key: &str,
        from: &'static str,
        at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let (digest, rotten, key) = (*digest, rotten.to_owned(), key.to_owned());
        self.write(move |c| quarantine::replace_if_held(c, &digest, (&rotten, &key), (from, at))).await
    }

    async fn quarantine_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        found: &[u8],
        why: &str,
        at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let (repository, digest, found, why) = (repository.clone(), *digest, found.to_vec(), why.to_owned());
        self.write(move |c| quarantine::manifest(c, (&repository, &digest), &found, (&why, at))).await
    }

    async fn replace_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
        from: &'static str,
        at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let (repository, digest) = (repository.clone(), *digest);
        self.write(move |c| quarantine::replace_manifest(c, &repository, &digest, &bytes, (from, at))).await
    }

    async fn manifest_copies(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, Unavailable> {
        self.read(|c| quarantine::manifest_copies(c, repository, digest, limit))
    }

    async fn quarantined(&self, limit: usize) -> Result<Vec<Quarantined>, Unavailable> {
        self.read(|c| quarantine::list(c, limit))
    }

    async fn quarantined_count(&self) -> Result<u64, Unavailable> {
        self.read(quarantine::count)
    }

    async fn holds_quarantined(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        depth: usize,
        limit: usize,
    ) -> Result<bool, Unavailable> {
        self.in_repository(repository, |c, id| quarantine::is_held_by(c, id, digest, depth, limit))
    }

    async fn trash_unnamed(&self, keys: &[String]) -> Result<u64, Unavailable> {
        let keys = keys.to_vec();
        self.write(move |c| scrub::trash_unnamed(c, &keys)).await
    }

    async fn scrub_pass(&self) -> Result<Option<ScrubPass>, Unavailable> {
        self.read(scrub::pass)
    }

    async fn note_scrub_pass(&self, pass: ScrubPass) -> Result<(), Unavailable> {
        self.note(move |c| scrub::note(c, &pass)).await
    }

    async fn garbage(&self, at: Timestamp, uploads_before: Timestamp, limit: usize) -> Result<Garbage, Unavailable> {
        // Some ten thousand rows of each kind.
        self.read_long(move |c| garbage::list(c, at, uploads_before, limit)).await
    }

    async fn graced(&self, at: Timestamp) -> Result<Graced, Unavailable> {
        // As many rows as there are blobs that nothing holds.
        let until = at.plus(self.grace);
        self.read_long(move |c| garbage::graced(c, at, until)).await
    }

    async fn end_grace(&self, at: Timestamp, limit: usize) -> Result<u64, Unavailable> {
        let until = at.plus(self.grace);
        self.note(move |c| garbage::end_grace(c, at, until, limit)).await
    }

    async fn accept_revision(&self, revision: StoredRevision) -> Result<(), Unavailable> {
        self.write(move |c| revisions::accept(c, &revision)).await
    }

    async fn accepted_revision(&self) -> Result<Option<StoredRevision>, Unavailable> {
        self.readers.snapshot(revisions::accepted)
    }

    async fn intend(&self, key: String, upload: Uuid) -> Result<(), Unavailable> {
        // Lost in a power cut, the bytes lie there uncounted: a walk over the store finds them.
        self.note(move |c| intents::intend(c, &key, upload)).await
    }

    async fn intents(&self, limit: usize) -> Result<Vec<Intent>, Unavailable> {
        self.read(|c| intents::waiting(c, limit))
    }

    async fn forget_intents(&self, keys: &[String]) -> Result<(), Unavailable> {
        let keys = keys.to_vec();
        self.note(move |c| keys.iter().try_for_each(|key| intents::forget(c, key))).await
    }

    async fn fresh_generation(&self) -> Result<u64, Unavailable> {
        Ok(self.next_generation())
    }

    async fn end_whole_uploads(&self) -> Result<(), Unavailable> {
        self.note(uploads::end_whole).await
    }

    async fn totals(&self) -> Result<Totals, Unavailable> {
        self.read(counters::totals)
    }

    async fn close(&self) -> Result<(), Unavailable> {
        self.writer()?.checkpoint().await
    }

    async fn manifests(
        &self,
        repository: &RepositoryName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<StoredManifest>, Unavailable> {
        self.in_repository(repository, |c, id| manifests::list(c, id, after, limit))
    }

    async fn waiting(
        &self,
        after: Option<&RepositoryName>,
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingIn>, Unavailable> {
        self.readers.snapshot(|c| waiting::repositories(c, after, from, limit))
    }

    async fn waiting_pushes(
        &self,
        repository: &RepositoryName,
        from: Timestamp,
        after: Option<&Tag>,
        limit: usize,
    ) -> Result<Vec<WaitingPush>, Unavailable> {
        self.in_repository(repository, |c, id| waiting::pushes(c, id, from, after, limit))
    }

    async fn subjects_of_evidence(
        &self,
        repository: &RepositoryName,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Digest>, Unavailable> {
        self.in_repository(repository, |c, id| manifests::subjects_of_evidence(c, id, after, limit))
    }

    async fn referrers_of_type(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: &str,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Referrer>, Unavailable> {
        self.in_repository(repository, |c, id| {
            manifests::referrers_of_type(c, id, subject, artifact_type, after, limit)
        })
    }

    async fn note_revision_judged(&self) -> Result<(), Unavailable> {
        // Lost in a power cut, it is judged once more.
        self.note(revisions::note_judged).await
    }

    async fn is_revision_judged(&self) -> Result<bool, Unavailable> {
        self.read(revisions::is_judged)
    }

    async fn audit(&self, trail: Trail, after: u64, limit: usize) -> Result<Vec<Audited>, Unavailable> {
        self.read(|c| audit::list(c, trail, after, limit))
    }

    async fn note_refusals(&self, refusals: Vec<Refusal>, keep: u64) -> Result<(), Unavailable> {
        self.note(move |c| audit::refuse(c, &refusals, keep)).await
    }

    async fn prune_audit(&self, keep: u64, limit: usize) -> Result<bool, Unavailable> {
        self.note(move |c| audit::prune(c, keep, limit)).await
    }
}
