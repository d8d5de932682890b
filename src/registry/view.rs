//! The view: each repository as an OCI image layout, behind the metadata by a bounded lag.

use std::sync::Arc;

use bytes::Bytes;

use crate::metadata::{DirtyView, MANIFESTS_BYTES, Metadata, Unavailable, ViewChange};
use crate::oci::{Digest, RepositoryName};
use crate::store::{LayoutChange, LayoutEntry, LayoutView, ObjectKey, Store, StoreError};

use super::commit::carried_through;
use super::take::Taken;
use super::{Error, Registry};

/// How often in a row what a view links may be found absent.
const MISSES: usize = 8;
/// So many views that can't be written are set aside; where there are more, it is not these views.
const ASIDE: usize = 64;

impl Registry {
    /// Brings every layout up to date. Each repository is done once; what changes meanwhile waits for the next call.
    pub async fn flush_views(&self) -> Result<(), Error> {
        self.housekeeping.with_reserve(|| self.write_views()).await
    }

    async fn write_views(&self) -> Result<(), Error> {
        if self.store.layout().is_none() {
            return Ok(());
        }
        let mut aside = SetAside::default();
        for repository in self.metadata.dirty_views().await? {
            if let Err(error) = self.write_view(&repository).await? {
                aside.put(repository, error)?;
            }
        }
        aside.tell()
    }

    /// Writes the view of a repository, and says what the layout said.
    async fn write_view(&self, repository: &RepositoryName) -> Result<Result<(), StoreError>, Error> {
        let (mut missed, mut misses) = (None, 0_usize);
        while let Some(written) = self.write_what_is_pending(repository).await? {
            match written.result {
                // What it links was collected since it was read, and that is a change of its own; or it was lost, and
                // that must be noted, or this layout would stay behind.
                Err(StoreError::Absent(key)) if misses < MISSES => {
                    let noted = missed == Some(written.sequence) && self.note_loss(repository, &key).await?;
                    (missed, misses) = (Some(written.sequence), if noted { 0 } else { misses.saturating_add(1) });
                }
                result => return Ok(result),
            }
        }
        Ok(Ok(()))
    }

    /// Notes that the bytes of a content are lost that the view of a repository is to link. False if it links no such key
    /// any more.
    async fn note_loss(&self, repository: &RepositoryName, key: &str) -> Result<bool, Error> {
        let Some(view) = self.metadata.dirty_view(repository).await? else { return Ok(false) };
        let lost = view.changes.into_iter().find_map(|change| match change {
            ViewChange::Link(digest, linked) => (linked == key).then_some(digest),
            ViewChange::Write(_) | ViewChange::Unlink(_) => None,
        });
        match lost {
            Some(digest) => self.housekeeping.note_rot(&digest, key, "expected a file, found none").await,
            None => Ok(false),
        }
    }

    /// Writes what is pending of a repository's view. None if nothing is.
    ///
    /// One view at a time, from reading what is pending to noting that it is done, and though whoever waits for it may go
    /// away: else what an earlier look saw could be written over what a later one did, and nothing would be pending.
    async fn write_what_is_pending(&self, repository: &RepositoryName) -> Result<Option<Written>, Error> {
        let turn = Arc::clone(&self.writing_view).lock_owned().await;
        let Some(view) = self.metadata.dirty_view(repository).await? else { return Ok(None) };
        let (store, metadata) = (Arc::clone(&self.store), Arc::clone(&self.metadata));
        let written = carried_through(async move {
            let (repository, sequence) = (view.repository.clone(), view.sequence);
            let result = match store.layout() {
                Some(layout) => show(layout, &*metadata, view).await?,
                None => Ok(()),
            };
            if result.is_ok() {
                metadata.clean_view(&repository, sequence).await?;
            }
            drop(turn);
            Ok(Written { sequence, result })
        });
        Ok(Some(written.await?))
    }
}

/// Brings every layout up to date, where nobody else writes any, but those that it sets aside.
pub(super) async fn flush(store: &dyn Store, metadata: &dyn Metadata) -> Result<SetAside, Error> {
    let mut aside = SetAside::default();
    let Some(layout) = store.layout() else { return Ok(aside) };
    for repository in metadata.dirty_views().await? {
        let Some(view) = metadata.dirty_view(&repository).await? else { continue };
        let sequence = view.sequence;
        match show(layout, metadata, view).await? {
            Ok(()) => metadata.clean_view(&repository, sequence).await?,
            Err(error) => aside.put(repository, error)?,
        }
    }
    Ok(aside)
}

/// Views that could not be written, so that the others are, and what each was refused for.
#[derive(Debug, Default)]
pub(super) struct SetAside(Vec<(RepositoryName, Error)>);

impl SetAside {
    /// Sets a view aside, unless what refused it refuses others too.
    fn put(&mut self, repository: RepositoryName, error: StoreError) -> Result<(), Error> {
        if matches!(error, StoreError::Full) || self.0.len() >= ASIDE {
            return Err(error.into());
        }
        self.0.push((repository, error.into()));
        Ok(())
    }

    /// Says which views were set aside, if any.
    pub(super) fn tell(self) -> Result<(), Error> {
        let Some((named, first)) = self.0.first() else { return Ok(()) };
        let count = self.0.len();
        Err(Error::Unavailable(format!(
            "expected to write every layout, found {count} that can't be written, the first of {named}: {first}"
        )))
    }

    /// Says of each repository that its layout was set aside, where that keeps nothing else from being done.
    pub(super) fn refuse_in(self, taken: &mut Taken) {
        for (repository, error) in self.0 {
            taken.refuse(
                repository.as_str(),
                format!("expected to write its layout, found that it has to wait until the root is served: {error}"),
            );
        }
    }
}

/// What became of a view.
struct Written {
    sequence: u64,
    result: Result<(), StoreError>,
}

/// Writes what is pending of a view, and says what the layout said. Of the manifests no more than [`MANIFESTS_BYTES`] are held
/// at once: those before the last come ahead of the index that names them.
async fn show(
    layout: &dyn LayoutView,
    metadata: &dyn Metadata,
    view: DirtyView,
) -> Result<Result<(), StoreError>, Unavailable> {
    let DirtyView { repository, changes, entries, .. } = view;
    let (mut group, mut held) = (Vec::new(), 0_usize);
    for change in changes {
        let change = match change {
            ViewChange::Link(digest, key) => LayoutChange::Link(digest, ObjectKey(key)),
            ViewChange::Unlink(digest) => LayoutChange::Unlink(digest),
            ViewChange::Write(digest) => match metadata.manifest(&repository, &digest).await? {
                Some(stored) => of_manifest(digest, stored.bytes),
                // It went since the view was read, which is a change of its own.
                None => continue,
            },
        };
        if let LayoutChange::Write(_, bytes) = &change {
            held = held.saturating_add(bytes.len());
        }
        group.push(change);
        if held >= MANIFESTS_BYTES {
            held = 0;
            let ahead = group.extract_if(.., |change| matches!(change, LayoutChange::Write(..))).collect();
            if let Err(error) = layout.add(&repository, ahead).await {
                return Ok(Err(error));
            }
        }
    }
    let entries = entries.into_iter().map(|entry| LayoutEntry {
        media_type: entry.media_type,
        digest: entry.digest,
        size: entry.size,
        tag: entry.tag,
    });
    Ok(layout.apply(&repository, group, entries.collect()).await)
}

/// What rotted is not shown. It comes when it is healed, which is a change of its own.
fn of_manifest(digest: Digest, bytes: Bytes) -> LayoutChange {
    if Digest::of(digest.algorithm(), &bytes) == digest {
        LayoutChange::Write(digest, bytes)
    } else {
        LayoutChange::Unlink(digest)
    }
}
