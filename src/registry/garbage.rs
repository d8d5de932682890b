//! What a crash left of uploads.

use std::collections::HashSet;

use super::{Error, Registry};

impl Registry {
    /// Collects abandoned uploads, blobs that nothing holds and whose lease ended, and orphaned evidence.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.housekeeping.sweep().await.map(drop)
    }

    /// Discards uploads that the metadata does not know: what a crash left.
    pub(super) async fn discard_unknown_uploads(&self) -> Result<(), Error> {
        let found: HashSet<_> = self.store.uploads().await?.into_iter().collect();
        for id in found {
            if self.metadata.upload(id).await?.is_none() {
                self.store.discard(id).await?;
            }
        }
        Ok(())
    }
}
