//! The view: each repository as an OCI image layout, behind the metadata by a bounded lag.

use crate::metadata::{DirtyView, ViewChange};
use crate::oci::RepositoryName;
use crate::store::{LayoutChange, LayoutEntry, LayoutView, ObjectKey};

use super::{Error, Registry};

impl Registry {
    /// Brings every layout up to date. Each repository is done once; what changes meanwhile waits for the next call.
    pub async fn flush_views(&self) -> Result<(), Error> {
        self.housekeeping.with_reserve(|| self.write_views()).await
    }

    async fn write_views(&self) -> Result<(), Error> {
        let Some(layout) = self.store.layout() else { return Ok(()) };
        let mut last: Option<RepositoryName> = None;
        while let Some(view) = self.metadata.dirty_view().await? {
            if last.as_ref() == Some(&view.repository) {
                // It changes faster than it is written.
                break;
            }
            last = Some(view.repository.clone());
            self.write_view(layout, view).await?;
        }
        Ok(())
    }

    async fn write_view(&self, layout: &dyn LayoutView, view: DirtyView) -> Result<(), Error> {
        let changes = view.changes.into_iter().map(|change| match change {
            ViewChange::Link(digest, key) => LayoutChange::Link(digest, ObjectKey(key)),
            ViewChange::Write(digest, bytes) => LayoutChange::Write(digest, bytes),
            ViewChange::Unlink(digest) => LayoutChange::Unlink(digest),
        });
        let entries = view.entries.into_iter().map(|entry| LayoutEntry {
            media_type: entry.media_type,
            digest: entry.digest,
            size: entry.size,
            tag: entry.tag,
        });
        layout.apply(&view.repository, changes.collect(), entries.collect()).await?;
        Ok(self.metadata.clean_view(&view.repository, view.sequence).await?)
    }
}
