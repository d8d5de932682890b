//! Collection beside a registry.

use super::{Error, Registry};

impl Registry {
    /// Collects abandoned uploads, blobs that nothing holds and whose lease ended, and orphaned evidence.
    pub async fn sweep(&self) -> Result<(), Error> {
        for upload in self.housekeeping.sweep().await?.uploads {
            self.trusted.forget(upload);
        }
        self.take_back_adrift().await
    }
}
