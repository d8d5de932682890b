//! Collection beside a registry.

use super::{Error, Registry};

impl Registry {
    /// Collects abandoned uploads, blobs that nothing holds and whose lease ended, and orphaned evidence.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.housekeeping.sweep().await?;
        self.take_back_adrift().await
    }
}
