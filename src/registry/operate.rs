//! What an administrator asks of the registry's storage.

use super::{Administrator, Collection, Error, Housekeeping, Registry, ScrubStatus};

impl Registry {
    /// What keeps its storage sound.
    pub const fn housekeeping(&self) -> &Housekeeping {
        &self.housekeeping
    }

    /// Asks for a pass of the scrub, and tells how it stands; one that is under way will do.
    pub async fn begin_scrub(&self, administrator: &Administrator) -> Result<ScrubStatus, Error> {
        self.housekeeping.ask_scrub();
        self.scrub_status(administrator).await
    }

    /// How the scrub stands.
    pub async fn scrub_status(&self, _: &Administrator) -> Result<ScrubStatus, Error> {
        self.housekeeping.scrub_status().await
    }

    /// Ends the wait of what stays only for the grace that a deletion leaves.
    pub async fn end_grace(&self, _: &Administrator) -> Result<(), Error> {
        self.housekeeping.end_grace().await
    }

    /// Collects all that can be collected now; a dry run only tells what that is.
    pub async fn collect(&self, _: &Administrator, dry_run: bool) -> Result<Collection, Error> {
        let collection = self.housekeeping.collect(dry_run).await?;
        if !dry_run {
            // The links of the layouts hold the bytes as long as they are there.
            self.flush_views().await?;
            collection
                .uploads
                .iter()
                .filter_map(|session| session.id.parse().ok())
                .for_each(|id| self.trusted.forget(id));
        }
        Ok(collection)
    }
}
