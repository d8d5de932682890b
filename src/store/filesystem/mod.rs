//! Bytes in files.
//!
//! ```text
//! _hallmark.lock                       held by the one process that owns the tree, which says in it who it is
//! _cas/sha256/ab/<hex>.<generation>    objects; one inode, however many repositories link it
//! _quarantine/<hex>.<generation>       objects that were found not to be what their names say
//! _reserve                             room that is given back when there is no other
//! _uploads/<uuid>                      on the same file system, so that sealing is a rename
//! <repository>/oci-layout, index.json, blobs/<algorithm>/<hex>
//! ```

mod adopt;
mod beside;
mod buffer;
mod census;
mod cold;
mod draft;
mod durable;
mod holder;
mod index;
mod journal;
mod layout;
mod lock;
mod object;
mod path;
mod reserve;
mod salvage;
mod shard;
mod stored;
mod upload;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use self::durable::Found;
use self::layout::{Layout, LinkFn};
use self::lock::Lock;
use self::object::Objects;
use self::path::Root;
use self::shard::Shards;
use self::upload::Uploads;
use super::layout_reader::{FoundLayouts, ImageLayout, LayoutError, find_layouts};
use super::{
    Adopted, LayoutChange, LayoutEntry, LayoutView, Mended, Object, ObjectKey, Store, StoreError, StoredObject, Vouched,
};
use crate::oci::{Digest, Hasher, RepositoryName};

#[cfg(test)]
pub(crate) use self::journal::Step;
#[cfg(test)]
pub(crate) use self::journal::tests::{steps, unsynced};

pub use self::beside::{Beside, Placed};
pub use self::census::{Candidate, Census, any_object};
pub use self::draft::Draft;
pub use self::holder::{Holder, Serves};
pub use self::upload::AT_THE_DISK;

/// A [`Store`] in a folder of a local file system, which shows each repository as an OCI image layout.
#[derive(Debug)]
pub struct Filesystem {
    root: Arc<Root>,
    objects: Arc<Objects>,
    uploads: Arc<Uploads>,
    layout: Arc<Layout>,
    link: LinkFn,
    _lock: Lock,
}

impl Filesystem {
    /// Opens the tree at `root`, made if it is absent, and owns it as long as the value lives.
    /// Refused while another process owns it. This blocks.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        Self::open_with(root, |from, to| fs::hard_link(from, to))
    }

    fn open_with(root: &Path, link: LinkFn) -> Result<Self, StoreError> {
        durable::make_root(root)?;
        let root = Arc::new(Root::new(root.canonicalize()?));
        let lock = Lock::take(&root)?;
        if let Some(above) = root.folder().parent().filter(|_| !root.cas().exists()) {
            // Whoever made the root may have died before syncing its name.
            durable::sync_folder(above)?;
        }
        durable::make_folders(root.folder(), Path::new("_uploads"), Found::Perhaps)?;
        let shards = Shards::open(&root)?;
        Ok(Self {
            objects: Arc::new(Objects::new(Arc::clone(&root))),
            uploads: Arc::new(Uploads::new(Arc::clone(&root), shards)),
            layout: Arc::new(Layout::new(Arc::clone(&root), link)),
            root,
            link,
            _lock: lock,
        })
    }
}

#[async_trait]
impl Store for Filesystem {
    async fn begin(&self, upload: Uuid) -> Result<(), StoreError> {
        self.uploads.begin(upload).await
    }

    async fn append(&self, upload: Uuid, offset: u64, bytes: Bytes, hasher: Hasher) -> Result<Hasher, StoreError> {
        self.uploads.append(upload, offset, bytes, hasher).await
    }

    async fn rehash(&self, upload: Uuid, size: u64, hasher: Hasher) -> Result<Hasher, StoreError> {
        self.uploads.rehash(upload, size, hasher).await
    }

    async fn seal(&self, upload: Uuid, size: u64, digest: &Digest, generation: u64) -> Result<ObjectKey, StoreError> {
        let key = self.key(upload, digest, generation);
        self.uploads.seal(upload, size, self.root.cas().join(&key.0)).await?;
        Ok(key)
    }

    fn key(&self, _upload: Uuid, digest: &Digest, generation: u64) -> ObjectKey {
        path::object_key(digest, generation)
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.objects.size(key)
    }

    async fn unseal(&self, key: &ObjectKey, upload: Uuid) -> Result<(), StoreError> {
        let path = self.root.object(key).ok_or_else(|| absent(key))?;
        self.uploads.unseal(path, upload).await
    }

    async fn discard(&self, upload: Uuid) -> Result<(), StoreError> {
        self.uploads.discard(upload).await
    }

    async fn open(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        self.objects.open(key)
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (objects, key) = (Arc::clone(&self.objects), key.clone());
        blocking(move || objects.remove(&key)).await
    }

    async fn uploads(&self) -> Result<Vec<Uuid>, StoreError> {
        let uploads = Arc::clone(&self.uploads);
        blocking(move || uploads.list()).await
    }

    async fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            let medium = rustix::fs::statvfs(root.folder()).map_err(io::Error::from)?;
            Ok(Some(medium.f_bavail.saturating_mul(medium.f_frsize)))
        })
        .await
    }

    async fn open_cold(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || cold::open(&key, root.object(&key))).await
    }

    async fn quarantine(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (objects, key) = (Arc::clone(&self.objects), key.clone());
        blocking(move || objects.quarantine(&key)).await
    }

    async fn open_quarantined(&self, quarantined: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let (root, key) = (Arc::clone(&self.root), quarantined.clone());
        blocking(move || cold::open(&key, root.quarantined(&key))).await
    }

    async fn forget_quarantined(&self, quarantined: &ObjectKey) -> Result<(), StoreError> {
        let (root, key) = (Arc::clone(&self.root), quarantined.clone());
        blocking(move || Ok(durable::remove(&root.quarantined(&key).ok_or_else(|| absent(&key))?)?)).await
    }

    async fn give_back(
        &self,
        quarantined: &ObjectKey,
        digest: &Digest,
        size: u64,
        generation: u64,
    ) -> Result<Option<ObjectKey>, StoreError> {
        let wanted = salvage::Wanted { digest: *digest, size, rotten: quarantined.clone(), generation };
        let (root, uploads) = (Arc::clone(&self.root), Arc::clone(&self.uploads));
        blocking(move || salvage::kept_aside(&root, uploads.shards(), &wanted)).await
    }

    async fn objects(&self, after: Option<&ObjectKey>) -> Result<Vec<StoredObject>, StoreError> {
        let (root, after) = (Arc::clone(&self.root), after.cloned());
        blocking(move || stored::group(&root, after.as_ref())).await
    }

    async fn keep_reserve(&self, bytes: u64) -> Result<bool, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || Ok(reserve::keep(&root, bytes)?)).await
    }

    async fn release_reserve(&self) -> Result<bool, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || Ok(reserve::release(&root)?)).await
    }

    fn layout(&self) -> Option<&dyn LayoutView> {
        Some(self)
    }
}

#[async_trait]
impl LayoutView for Filesystem {
    async fn add(&self, repository: &RepositoryName, changes: Vec<LayoutChange>) -> Result<(), StoreError> {
        let (layout, repository) = (Arc::clone(&self.layout), repository.clone());
        blocking(move || layout.add(&repository, &changes)).await
    }

    async fn apply(
        &self,
        repository: &RepositoryName,
        changes: Vec<LayoutChange>,
        entries: Vec<LayoutEntry>,
    ) -> Result<(), StoreError> {
        let (layout, repository) = (Arc::clone(&self.layout), repository.clone());
        blocking(move || layout.apply(&repository, &changes, &entries)).await
    }

    async fn shown(&self) -> Result<FoundLayouts, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || Ok(find_layouts(root.folder())?)).await
    }

    async fn adopt(&self, layout: &ImageLayout, digest: &Digest, generation: u64) -> Result<Adopted, StoreError> {
        let (uploads, layout, digest, link) = (Arc::clone(&self.uploads), layout.clone(), *digest, self.link);
        blocking(move || uploads.adopt(&layout, &digest, generation, link)).await
    }

    async fn vouch(&self, layout: &ImageLayout, digest: &Digest, key: &ObjectKey) -> Result<Vouched, StoreError> {
        let (root, layout, digest, key) = (Arc::clone(&self.root), layout.clone(), *digest, key.clone());
        blocking(move || adopt::vouch(&root, &layout, &digest, &key)).await
    }

    async fn settle(&self, adopted: Vec<ObjectKey>) -> Result<(), StoreError> {
        let uploads = Arc::clone(&self.uploads);
        blocking(move || uploads.settle(&adopted)).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || Ok(Census::take(root)?)).await
    }

    async fn salvage(
        &self,
        digest: &Digest,
        size: u64,
        rotten: &ObjectKey,
        generation: u64,
        repositories: Vec<RepositoryName>,
    ) -> Result<Option<ObjectKey>, StoreError> {
        let wanted = salvage::Wanted { digest: *digest, size, rotten: rotten.clone(), generation };
        let (root, uploads) = (Arc::clone(&self.root), Arc::clone(&self.uploads));
        blocking(move || salvage::object(&root, uploads.shards(), &wanted, &repositories)).await
    }

    async fn manifest_copy(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let (root, repository, digest) = (Arc::clone(&self.root), repository.clone(), *digest);
        blocking(move || Ok(salvage::manifest(&root, &repository, &digest, limit))).await
    }

    async fn mend_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Mended, StoreError> {
        let (layout, repository, digest) = (Arc::clone(&self.layout), repository.clone(), *digest);
        blocking(move || Ok(layout.mend(&repository, &digest, &bytes)?)).await
    }

    async fn index_bytes(&self, repository: &RepositoryName) -> Result<Option<u64>, StoreError> {
        let (layout, repository) = (Arc::clone(&self.layout), repository.clone());
        blocking(move || Ok(layout.index_bytes(&repository))).await
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl From<LayoutError> for StoreError {
    fn from(error: LayoutError) -> Self {
        Self::Io(io::Error::other(error))
    }
}

fn absent(what: impl fmt::Display) -> StoreError {
    StoreError::Absent(what.to_string())
}

/// Does `work` where it may block. It is done to its end even if nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|error| StoreError::Io(io::Error::other(error)))?
}
