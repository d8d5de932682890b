//! The view: each repository as an OCI image layout, behind the metadata by a bounded lag.

use crate::metadata::{DirtyView, Metadata, ViewChange};
use crate::oci::RepositoryName;
use crate::store::{LayoutChange, LayoutEntry, LayoutView, ObjectKey, Store};

use super::{Error, Registry};

impl Registry {
    /// Brings every layout up to date. Each repository is done once; what changes meanwhile waits for the next call.
    pub async fn flush_views(&self) -> Result<(), Error> {
        self.housekeeping.with_reserve(|| flush(&*self.store, &*self.metadata)).await
    }
}

/// Brings every layout up to date.
pub(super) async fn flush(store: &dyn Store, metadata: &dyn Metadata) -> Result<(), Error> {
    let Some(layout) = store.layout() else { return Ok(()) };
    let mut last: Option<RepositoryName> = None;
    while let Some(view) = metadata.dirty_view().await? {
        if last.as_ref() == Some(&view.repository) {
            // It changes faster than it is written.
            break;
        }
        last = Some(view.repository.clone());
        let (repository, sequence) = (view.repository.clone(), view.sequence);
        write(layout, view).await?;
        metadata.clean_view(&repository, sequence).await?;
    }
    Ok(())
}

async fn write(layout: &dyn LayoutView, view: DirtyView) -> Result<(), Error> {
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
    Ok(layout.apply(&view.repository, changes.collect(), entries.collect()).await?)
}
