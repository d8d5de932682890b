//! Collection: rows first, in one transaction; then the bytes that the transaction put in the trash.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::metadata::{Garbage, Swept};
use crate::store::{ObjectKey, StoreError};

use super::super::Error;
use super::Housekeeping;
use super::report::{CollectedBlob, Collection, Evidence, QuarantinedObject, ScrubStatus, Session, Waiting, having};

/// How much one sweep takes of each kind.
const BATCH: usize = 512;
/// How long whoever asks for a collection waits for the rest of it.
const LONG: Duration = Duration::from_secs(10);
/// How much of each kind is told.
const TOLD: usize = 10_000;
/// How much of what is quarantined is told.
const TOLD_QUARANTINED: usize = 1000;

impl Housekeeping {
    /// Collects the rows of abandoned uploads, of blobs that nothing holds and whose lease ended, and of orphaned evidence,
    /// so many at once. Whatever it tells is to be handed to [`Housekeeping::remove_swept`].
    pub(in super::super) async fn sweep_rows(&self) -> Result<Swept, Error> {
        let now = self.clock.now();
        let before = now.minus(self.limits.upload_expiry);
        let swept = self.with_reserve(|| async { Ok(self.metadata.sweep(now, before, BATCH).await?) }).await;
        let swept = swept.inspect_err(|_| self.epochs.advance_all())?;
        if !swept.repositories.is_empty() {
            self.changed(&swept.repositories);
        }
        Ok(swept)
    }

    /// Removes the bytes whose rows were swept. Those that can't be removed now stay in the trash, and hold up no others.
    pub(in super::super) async fn remove_swept(&self, swept: &Swept) -> Result<(), Error> {
        let mut failed = Ok(());
        for upload in &swept.uploads {
            failed = failed.and(self.store.discard(*upload).await);
        }
        let mut removed = Vec::new();
        for key in &swept.trash {
            match self.store.remove(&ObjectKey(key.clone())).await {
                Ok(()) | Err(StoreError::Absent(_)) => removed.push(key.clone()),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        if !removed.is_empty() {
            self.with_reserve(|| async { Ok(self.metadata.forget_trash(&removed).await?) }).await?;
        }
        Ok(failed?)
    }

    /// Sweeps until nothing is left or it took long, and tells what there was; a dry run only tells.
    pub async fn collect(&self, dry_run: bool) -> Result<Collection, Error> {
        let now = self.clock.now();
        let garbage = self.metadata.garbage(now, now.minus(self.limits.upload_expiry), TOLD).await?;
        let bytes = self.bytes_of(&garbage).await?;
        let began = Instant::now();
        let mut more = !dry_run;
        while more && began.elapsed() < LONG {
            let swept = self.sweep_rows().await?;
            self.remove_swept(&swept).await?;
            more = swept != Swept::default();
        }
        let waiting = self.metadata.graced(self.clock.now()).await?.into();
        Ok(Collection { more, waiting, ..tell(garbage, bytes, dry_run) })
    }

    /// Ends the wait of what stays only for the grace that a deletion leaves: the next collection takes it. A push under
    /// way that counts on it is told at its manifest to send it again.
    pub async fn end_grace(&self) -> Result<(), Error> {
        let now = self.clock.now();
        while self.with_reserve(|| async { Ok(self.metadata.end_grace(now, BATCH).await?) }).await? > 0 {}
        Ok(())
    }

    async fn bytes_of(&self, garbage: &Garbage) -> Result<u64, Error> {
        let contents: BTreeSet<_> =
            garbage.blobs.iter().filter(|blob| blob.last).map(|blob| (blob.digest.to_string(), blob.size)).collect();
        let contents = contents.iter().map(|(_, size)| *size);
        let mut bytes = garbage.uploads.iter().map(|(_, _, size)| *size).chain(contents).fold(0, u64::saturating_add);
        for key in &garbage.trash {
            match self.store.open_cold(&ObjectKey(key.clone())).await {
                Ok(object) => bytes = bytes.saturating_add(object.size()),
                Err(StoreError::Absent(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    /// How much is quarantined now, and when the last pass ended, unless one is under way.
    pub async fn soundness(&self) -> Result<(u64, Option<Timestamp>), Error> {
        let pass = self.metadata.scrub_pass().await?;
        Ok((self.metadata.quarantined_count().await?, pass.and_then(|pass| pass.ended)))
    }

    /// How the scrub stands.
    pub async fn scrub_status(&self) -> Result<ScrubStatus, Error> {
        let mut objects = Vec::new();
        for held in self.metadata.quarantined(TOLD_QUARANTINED).await? {
            let having = match held.repository {
                Some(_) => (Vec::new(), false),
                None => having(&*self.metadata, &held.digest).await?,
            };
            objects.push(QuarantinedObject::told(held, having));
        }
        Ok(ScrubStatus {
            running: self.is_scrubbing(),
            bytes_per_second: self.limits.scrub_bytes_per_second,
            pass: self.metadata.scrub_pass().await?.map(Into::into),
            quarantined: self.metadata.quarantined_count().await?,
            objects,
        })
    }
}

fn tell(garbage: Garbage, bytes: u64, dry_run: bool) -> Collection {
    let Garbage { uploads, blobs, orphans, trash } = &garbage;
    let truncated = [uploads.len(), blobs.len(), orphans.len(), trash.len()].iter().any(|told| *told >= TOLD);
    let blobs = garbage.blobs.into_iter().map(|blob| CollectedBlob {
        repository: blob.repository.to_string(),
        digest: blob.digest,
        size: blob.size,
        why: if blob.last {
            "no manifest holds it and its lease ended".to_owned()
        } else {
            "no manifest holds it here and its lease ended; another repository keeps the content".to_owned()
        },
    });
    let session = |(id, repository, size): (uuid::Uuid, crate::oci::RepositoryName, u64)| Session {
        repository: repository.to_string(),
        id: id.to_string(),
        size,
    };
    let evidence = garbage.orphans.into_iter();
    Collection {
        dry_run,
        more: false,
        truncated,
        bytes,
        waiting: Waiting::default(),
        blobs: blobs.collect(),
        uploads: garbage.uploads.into_iter().map(session).collect(),
        evidence: evidence
            .map(|(repository, digest)| Evidence { repository: repository.to_string(), digest })
            .collect(),
        trash: garbage.trash,
    }
}
