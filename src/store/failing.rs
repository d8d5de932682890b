//! A store that can be told to fail: how tests show that what fails is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    Adopted, Census, FoundLayouts, ImageLayout, LayoutChange, LayoutEntry, LayoutView, Mended, Object, ObjectKey,
    Store, StoreError, StoredObject, Vouched,
};
use crate::interruption::{Fault, Interruptions};
use crate::oci::{Digest, Hasher, RepositoryName};

/// A test seam: a [`Store`] whose every call fails with [`StoreError::Io`] while it is told to, reads of objects
/// that are open among them. Each call can be interrupted on its own.
#[derive(Debug)]
pub struct Failing<S> {
    store: S,
    switch: Arc<AtomicBool>,
    full: AtomicBool,
    interruptions: Interruptions,
}

impl<S: Store> Failing<S> {
    /// `store`, which works until [`Failing::fail`] says otherwise.
    pub fn new(store: S) -> Self {
        Self { store, switch: Arc::default(), full: AtomicBool::default(), interruptions: Interruptions::default() }
    }

    /// What comes between a caller and each call.
    pub const fn interruptions(&self) -> &Interruptions {
        &self.interruptions
    }

    /// Makes every call fail from now on, or work again.
    pub fn fail(&self, on: bool) {
        self.switch.store(on, Ordering::SeqCst);
    }

    /// Leaves no room for bytes of uploads from now on, or room again.
    pub fn fill(&self, on: bool) {
        self.full.store(on, Ordering::SeqCst);
    }

    fn with_room(&self) -> Result<&S, StoreError> {
        if self.full.load(Ordering::SeqCst) { Err(StoreError::Full) } else { self.working() }
    }

    fn view(&self) -> Result<&dyn LayoutView, StoreError> {
        self.working()?.layout().ok_or_else(|| StoreError::Absent("the layouts".to_owned()))
    }

    fn working(&self) -> Result<&S, StoreError> {
        check(&self.switch)?;
        Ok(&self.store)
    }
}

fn check(switch: &AtomicBool) -> Result<(), StoreError> {
    if switch.load(Ordering::SeqCst) { Err(StoreError::Io(io::Error::other("told to fail"))) } else { Ok(()) }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            // EIO.
            Fault::Medium => Self::Io(io::Error::from_raw_os_error(5)),
            Fault::Refused | Fault::Unanswered => Self::Io(io::Error::other("told to fail")),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Failing<S> {
    async fn begin(&self, upload: Uuid) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("begin", store.begin(upload)).await
    }

    async fn append(&self, upload: Uuid, offset: u64, bytes: Bytes, hasher: Hasher) -> Result<Hasher, StoreError> {
        let store = self.with_room()?;
        self.interruptions.around("append", store.append(upload, offset, bytes, hasher)).await
    }

    async fn rehash(&self, upload: Uuid, size: u64, hasher: Hasher) -> Result<Hasher, StoreError> {
        let store = self.working()?;
        self.interruptions.around("rehash", store.rehash(upload, size, hasher)).await
    }

    async fn seal(&self, upload: Uuid, size: u64, digest: &Digest, generation: u64) -> Result<ObjectKey, StoreError> {
        let store = self.with_room()?;
        self.interruptions.around("seal", store.seal(upload, size, digest, generation)).await
    }

    fn key(&self, upload: Uuid, digest: &Digest, generation: u64) -> ObjectKey {
        self.store.key(upload, digest, generation)
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let store = self.working()?;
        self.interruptions.around("size", store.size(key)).await
    }

    async fn unseal(&self, key: &ObjectKey, upload: Uuid) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("unseal", store.unseal(key, upload)).await
    }

    async fn discard(&self, upload: Uuid) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("discard", store.discard(upload)).await
    }

    async fn open(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let object = self.interruptions.around("open", self.working()?.open(key)).await?;
        let (switch, interruptions) = (Arc::clone(&self.switch), self.interruptions.clone());
        Ok(Box::new(FailingObject { object, switch, interruptions }))
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("remove", store.remove(key)).await
    }

    async fn uploads(&self) -> Result<Vec<Uuid>, StoreError> {
        let store = self.working()?;
        self.interruptions.around("uploads", store.uploads()).await
    }

    async fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        let store = self.working()?;
        self.interruptions.around("free_bytes", store.free_bytes()).await
    }

    async fn open_cold(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let object = self.interruptions.around("open_cold", self.working()?.open_cold(key)).await?;
        let (switch, interruptions) = (Arc::clone(&self.switch), self.interruptions.clone());
        Ok(Box::new(FailingObject { object, switch, interruptions }))
    }

    async fn quarantine(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("quarantine", store.quarantine(key)).await
    }

    async fn open_quarantined(&self, quarantined: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let open = self.working()?.open_quarantined(quarantined);
        let object = self.interruptions.around("open_quarantined", open).await?;
        let (switch, interruptions) = (Arc::clone(&self.switch), self.interruptions.clone());
        Ok(Box::new(FailingObject { object, switch, interruptions }))
    }

    async fn forget_quarantined(&self, quarantined: &ObjectKey) -> Result<(), StoreError> {
        let store = self.working()?;
        self.interruptions.around("forget_quarantined", store.forget_quarantined(quarantined)).await
    }

    async fn give_back(
        &self,
        quarantined: &ObjectKey,
        digest: &Digest,
        size: u64,
        generation: u64,
    ) -> Result<Option<ObjectKey>, StoreError> {
        let store = self.with_room()?;
        let give_back = store.give_back(quarantined, digest, size, generation);
        self.interruptions.around("give_back", give_back).await
    }

    async fn objects(&self, after: Option<&ObjectKey>) -> Result<Vec<StoredObject>, StoreError> {
        let store = self.working()?;
        self.interruptions.around("objects", store.objects(after)).await
    }

    async fn keep_reserve(&self, bytes: u64) -> Result<bool, StoreError> {
        let store = self.with_room()?;
        self.interruptions.around("keep_reserve", store.keep_reserve(bytes)).await
    }

    async fn release_reserve(&self) -> Result<bool, StoreError> {
        let store = self.working()?;
        self.interruptions.around("release_reserve", store.release_reserve()).await
    }

    fn layout(&self) -> Option<&dyn LayoutView> {
        self.store.layout().map(|_| -> &dyn LayoutView { self })
    }
}

#[async_trait]
impl<S: Store> LayoutView for Failing<S> {
    async fn add(&self, repository: &RepositoryName, changes: Vec<LayoutChange>) -> Result<(), StoreError> {
        match self.working()?.layout() {
            Some(layout) => self.interruptions.around("add", layout.add(repository, changes)).await,
            None => Ok(()),
        }
    }

    async fn apply(
        &self,
        repository: &RepositoryName,
        changes: Vec<LayoutChange>,
        entries: Vec<LayoutEntry>,
    ) -> Result<(), StoreError> {
        match self.working()?.layout() {
            Some(layout) => self.interruptions.around("apply", layout.apply(repository, changes, entries)).await,
            None => Ok(()),
        }
    }

    async fn shown(&self) -> Result<FoundLayouts, StoreError> {
        let view = self.view()?;
        self.interruptions.around("shown", view.shown()).await
    }

    async fn adopt(&self, layout: &ImageLayout, digest: &Digest, generation: u64) -> Result<Adopted, StoreError> {
        self.with_room()?;
        let view = self.view()?;
        self.interruptions.around("adopt", view.adopt(layout, digest, generation)).await
    }

    async fn vouch(&self, layout: &ImageLayout, digest: &Digest, key: &ObjectKey) -> Result<Vouched, StoreError> {
        let view = self.view()?;
        self.interruptions.around("vouch", view.vouch(layout, digest, key)).await
    }

    async fn settle(&self, adopted: Vec<ObjectKey>) -> Result<(), StoreError> {
        let view = self.view()?;
        self.interruptions.around("settle", view.settle(adopted)).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let view = self.view()?;
        self.interruptions.around("census", view.census()).await
    }

    async fn salvage(
        &self,
        digest: &Digest,
        size: u64,
        rotten: &ObjectKey,
        generation: u64,
        repositories: Vec<RepositoryName>,
    ) -> Result<Option<ObjectKey>, StoreError> {
        match self.with_room()?.layout() {
            Some(layout) => {
                let salvage = layout.salvage(digest, size, rotten, generation, repositories);
                self.interruptions.around("salvage", salvage).await
            }
            None => Ok(None),
        }
    }

    async fn manifest_copy(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        match self.working()?.layout() {
            Some(layout) => {
                self.interruptions.around("manifest_copy", layout.manifest_copy(repository, digest, limit)).await
            }
            None => Ok(None),
        }
    }

    async fn mend_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Mended, StoreError> {
        self.with_room()?;
        let view = self.view()?;
        self.interruptions.around("mend_manifest", view.mend_manifest(repository, digest, bytes)).await
    }

    async fn index_bytes(&self, repository: &RepositoryName) -> Result<Option<u64>, StoreError> {
        let view = self.view()?;
        self.interruptions.around("index_bytes", view.index_bytes(repository)).await
    }
}

struct FailingObject {
    object: Box<dyn Object>,
    switch: Arc<AtomicBool>,
    interruptions: Interruptions,
}

#[async_trait]
impl Object for FailingObject {
    fn size(&self) -> u64 {
        self.object.size()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        check(&self.switch)?;
        self.interruptions.around("read", self.object.read(offset, length)).await
    }
}
