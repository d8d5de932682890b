//! Backup: one moment of the metadata and every object that it names, while the registry goes on.

use std::path::Path;

use serde::Serialize;

use crate::metadata::{FILE, Metadata, Reserved, Sqlite, Totals};
use crate::oci::Digest;
use crate::store::{Beside, Draft, ObjectKey, Placed, StoreError};

use super::Error;

/// How many moments are tried. Each goes on from the objects of the one before it, so the time between the moment and
/// the last of its objects is short from the second on.
const MOMENTS: usize = 16;
/// Contents that are read at once.
const PAGE: usize = 1000;

/// What was backed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// Repositories.
    pub repositories: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Contents.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Contents that were linked; a backup on the same file system shares their bytes with the registry.
    pub linked: u64,
    /// Contents that were copied.
    pub copied: u64,
}

/// Makes `to`, which is not there, a root that holds what `root` holds at one moment after this was called. The process
/// that owns `root` goes on meanwhile, and nothing of it is changed. `to` appears when everything in it is durable.
///
/// An object that is collected before it is reached is no longer named by a later moment: so another moment is taken
/// until one has everything that it names. What is quarantined can't be backed up, and is an error that names it.
pub async fn backup(root: &Path, to: &Path) -> Result<BackedUp, Error> {
    let tree = Beside::open(root)?;
    let draft = tree.draft(to)?;
    let (from, copy) = (tree.folder().join(FILE), draft.folder().join(FILE));
    let mut done = BackedUp::default();
    for moment in 0..MOMENTS {
        draft.remove(FILE)?;
        Sqlite::snapshot(&from, &copy)?;
        let metadata = Sqlite::open(&copy)?;
        if let Some(rotten) = metadata.quarantined(1).await?.first() {
            return Err(Error::Quarantined(rotten.digest));
        }
        if gather(&tree, &draft, &metadata, &mut done).await? {
            if moment > 0 {
                prune(&draft, &metadata).await?;
            }
            done = done.with(metadata.totals().await?);
            metadata.close().await?;
            drop(metadata);
            draft.publish()?;
            return Ok(done);
        }
    }
    Err(Error::Unavailable(format!("expected one of {MOMENTS} moments to be whole, found that each lost an object")))
}

impl BackedUp {
    fn with(self, totals: Totals) -> Self {
        let Totals { repositories, manifests, tags, blobs, blob_bytes, uploads: _ } = totals;
        Self { repositories, manifests, tags, blobs, blob_bytes, ..self }
    }
}

/// Brings every object that the metadata names. False if one of them is gone.
pub(super) async fn gather(
    tree: &Beside,
    draft: &Draft,
    metadata: &Sqlite,
    done: &mut BackedUp,
) -> Result<bool, Error> {
    let mut whole = true;
    let mut after: Option<Digest> = None;
    loop {
        let page = metadata.contents(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(whole) };
        after = Some(last.digest);
        for content in page {
            match tree.put_object(draft, &content.digest, &ObjectKey(content.key)) {
                Ok(Placed::Linked) => done.linked = done.linked.saturating_add(1),
                Ok(Placed::Copied) => done.copied = done.copied.saturating_add(1),
                Ok(Placed::There) => {}
                Err(StoreError::Absent(_)) => whole = false,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Removes objects that an earlier moment named and this one does not.
async fn prune(draft: &Draft, metadata: &Sqlite) -> Result<(), Error> {
    for (digest, key) in draft.objects()? {
        if metadata.reserve(digest).await? != Reserved::Live(key.0.clone()) {
            draft.remove_object(&key)?;
        }
    }
    Ok(())
}
