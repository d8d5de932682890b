//! Content becomes a blob of a repository: reserve → intent → bytes durable → one commit.

use std::sync::Arc;

use uuid::Uuid;

use crate::gate::Who;
use crate::metadata::{CommitBlob, Committed, Metadata, Reserved};
use crate::oci::{Digest, RepositoryName};
use crate::store::{ObjectKey, StoreError};

use super::{Error, Registry};

/// Content to be made part of a repository.
pub(super) struct NewBlob<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) who: &'a Who,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// The session whose bytes they are; none if only stored content will do.
    pub(super) upload: Option<Uuid>,
    pub(super) sign_only: bool,
}

/// Where the bytes of a content are.
struct Placed {
    key: ObjectKey,
    /// Whether they were sealed just now, and nothing but an intent names them.
    sealed: bool,
    /// The live key whose bytes were lost.
    lost: Option<String>,
}

impl Registry {
    /// Makes content that is stored, or that `seal` stores, part of a repository.
    pub(super) async fn commit_blob(&self, blob: NewBlob<'_>) -> Result<(), Error> {
        let sealed = loop {
            let Placed { key, sealed, lost } = self.place(&blob).await?;
            let now = self.clock.now();
            let commit = CommitBlob {
                repository: blob.repository.clone(),
                digest: blob.digest,
                size: blob.size,
                key: key.0.clone(),
                sealed,
                lost,
                who: blob.who.clone(),
                upload: blob.upload,
                lease: now.plus(self.limits.blob_lease),
                unheld_cap: blob.sign_only.then_some(self.limits.sign_unheld_blobs),
                at: now,
            };
            let change = |metadata: Arc<dyn Metadata>| {
                let commit = commit.clone();
                async move { metadata.commit_blob(commit).await }
            };
            let committed = if blob.sign_only {
                self.commit_with_reserve(blob.repository, change).await
            } else {
                self.commit(blob.repository, change).await
            };
            if sealed && !matches!(committed, Ok(Committed::Stored | Committed::Surplus)) {
                // If it was not committed, nothing but its intent names it.
                self.adrift.note(&key);
            }
            match committed? {
                Committed::Stored => break sealed,
                Committed::Surplus => {
                    self.store.remove(&key).await?;
                    break sealed;
                }
                Committed::Gone => {}
                Committed::Capped => {
                    if let Some(upload) = blob.upload {
                        self.metadata.cancel_upload(upload).await?;
                        self.store.discard(upload).await?;
                    }
                    // What fails here is done by the next sweep.
                    drop(self.take_back_adrift().await);
                    return Err(Error::Capped(format!(
                        "expected at most {} blobs under `sign` alone that no manifest holds",
                        self.limits.sign_unheld_blobs
                    )));
                }
            }
        };
        self.counters.count_blob();
        match blob.upload {
            // Nobody needed its bytes.
            Some(upload) if !sealed => Ok(self.store.discard(upload).await?),
            _ => Ok(()),
        }
    }

    /// Where the content's bytes are, durably: where they are live, or where they are sealed now.
    async fn place(&self, blob: &NewBlob<'_>) -> Result<Placed, Error> {
        let (generation, lost) = match self.metadata.reserve(blob.digest).await? {
            Reserved::Fresh(generation) => (generation, None),
            Reserved::Live(key) => {
                let key = ObjectKey(key);
                if self.is_whole(&key, blob.size).await? {
                    return Ok(Placed { key, sealed: false, lost: None });
                }
                (self.metadata.fresh_generation().await?, Some(key.0))
            }
        };
        let Some(upload) = blob.upload else { return Err(Error::BlobUnknown(blob.digest)) };
        let key = self.store.key(upload, &blob.digest, generation);
        let intend = || async { Ok(self.metadata.intend(key.0.clone(), upload).await?) };
        self.housekeeping.where_room(blob.sign_only, 0, intend).await?;
        match self.store.seal(upload, blob.size, &blob.digest, generation).await {
            Ok(key) => Ok(Placed { key, sealed: true, lost }),
            Err(error) => {
                self.adrift.note(&key);
                Err(error.into())
            }
        }
    }

    /// Whether the bytes of live content are there. They can be lost: a disk, a restore, someone's `rm`.
    async fn is_whole(&self, key: &ObjectKey, size: u64) -> Result<bool, Error> {
        match self.store.size(key).await {
            Ok(found) => Ok(found == size),
            Err(StoreError::Absent(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
