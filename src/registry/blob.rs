//! Content becomes a blob of a repository: reserve → bytes durable → one commit.

use std::sync::Arc;

use uuid::Uuid;

use crate::gate::Who;
use crate::metadata::{CommitBlob, Committed, Metadata, Reserved};
use crate::oci::{Digest, RepositoryName};
use crate::store::ObjectKey;

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

impl Registry {
    /// Makes content that is stored, or that `seal` stores, part of a repository.
    pub(super) async fn commit_blob(&self, blob: NewBlob<'_>) -> Result<(), Error> {
        loop {
            let (key, sealed) = match self.metadata.reserve(blob.digest).await? {
                Reserved::Live(key) => (key, false),
                Reserved::Fresh(generation) => {
                    let Some(upload) = blob.upload else { return Err(Error::BlobUnknown(blob.digest)) };
                    (self.store.seal(upload, blob.size, &blob.digest, generation).await?.0, true)
                }
            };
            let now = self.clock.now();
            let commit = CommitBlob {
                repository: blob.repository.clone(),
                digest: blob.digest,
                size: blob.size,
                key: key.clone(),
                who: blob.who.clone(),
                upload: blob.upload,
                lease: now.plus(self.limits.blob_lease),
                unheld_cap: blob.sign_only.then_some(self.limits.sign_unheld_blobs),
                at: now,
            };
            let change = |metadata: Arc<dyn Metadata>| async move { metadata.commit_blob(commit).await };
            match self.commit(blob.repository, change).await? {
                Committed::Stored => break,
                Committed::Surplus => {
                    self.store.remove(&ObjectKey(key)).await?;
                    break;
                }
                Committed::Gone => {}
                Committed::Capped => {
                    // Nothing names the key, and nothing would ever remove it.
                    if sealed {
                        self.store.remove(&ObjectKey(key)).await?;
                    }
                    if let Some(upload) = blob.upload {
                        self.metadata.cancel_upload(upload).await?;
                        self.store.discard(upload).await?;
                    }
                    return Err(Error::Capped(format!(
                        "expected at most {} blobs under `sign` alone that no manifest holds",
                        self.limits.sign_unheld_blobs
                    )));
                }
            }
        }
        self.counters.count_blob();
        match blob.upload {
            Some(upload) => Ok(self.store.discard(upload).await?),
            None => Ok(()),
        }
    }
}
