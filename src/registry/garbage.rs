//! Collection: rows first, in one transaction; then the bytes that the transaction put in the trash.

use crate::store::{ObjectKey, StoreError};

use super::{Error, Registry};

/// How much one sweep takes of each kind.
const BATCH: usize = 512;

impl Registry {
    /// Collects abandoned uploads, blobs that nothing holds and whose lease ended, and orphaned evidence.
    pub async fn sweep(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let swept = self.metadata.sweep(now, now.minus(self.limits.upload_expiry), BATCH).await?;
        for repository in &swept.repositories {
            self.epochs.advance(repository);
        }
        for upload in &swept.uploads {
            self.trusted.forget(*upload);
            self.store.discard(*upload).await?;
        }
        for key in &swept.trash {
            match self.store.remove(&ObjectKey(key.clone())).await {
                Ok(()) | Err(StoreError::Absent(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !swept.trash.is_empty() {
            self.metadata.forget_trash(&swept.trash).await?;
        }
        if !swept.repositories.is_empty() {
            self.changed.notify_one();
        }
        self.take_back_adrift().await
    }
}
