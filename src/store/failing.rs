//! A store that can be told to fail: how tests show that what fails is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    Adopted, Census, FoundLayout, ImageLayout, LayoutChange, LayoutEntry, LayoutView, Object, ObjectKey, Store,
    StoreError,
};
use crate::oci::{Digest, Hasher, RepositoryName};

/// A test seam: a [`Store`] whose every call fails with [`StoreError::Io`] while it is told to, reads of objects
/// that are open among them.
#[derive(Debug)]
pub struct Failing<S> {
    store: S,
    switch: Arc<AtomicBool>,
    full: AtomicBool,
}

impl<S: Store> Failing<S> {
    /// `store`, which works until [`Failing::fail`] says otherwise.
    pub fn new(store: S) -> Self {
        Self { store, switch: Arc::default(), full: AtomicBool::default() }
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

#[async_trait]
impl<S: Store> Store for Failing<S> {
    async fn begin(&self, upload: Uuid) -> Result<(), StoreError> {
        self.working()?.begin(upload).await
    }

    async fn append(&self, upload: Uuid, offset: u64, bytes: Bytes, hasher: Hasher) -> Result<Hasher, StoreError> {
        self.with_room()?.append(upload, offset, bytes, hasher).await
    }

    async fn rehash(&self, upload: Uuid, size: u64, hasher: Hasher) -> Result<Hasher, StoreError> {
        self.working()?.rehash(upload, size, hasher).await
    }

    async fn seal(&self, upload: Uuid, size: u64, digest: &Digest, generation: u64) -> Result<ObjectKey, StoreError> {
        self.with_room()?.seal(upload, size, digest, generation).await
    }

    fn key(&self, upload: Uuid, digest: &Digest, generation: u64) -> ObjectKey {
        self.store.key(upload, digest, generation)
    }

    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        self.working()?.size(key).await
    }

    async fn unseal(&self, key: &ObjectKey, upload: Uuid) -> Result<(), StoreError> {
        self.working()?.unseal(key, upload).await
    }

    async fn discard(&self, upload: Uuid) -> Result<(), StoreError> {
        self.working()?.discard(upload).await
    }

    async fn open(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let object = self.working()?.open(key).await?;
        Ok(Box::new(FailingObject { object, switch: Arc::clone(&self.switch) }))
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.working()?.remove(key).await
    }

    async fn uploads(&self) -> Result<Vec<Uuid>, StoreError> {
        self.working()?.uploads().await
    }

    async fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.working()?.free_bytes().await
    }

    fn layout(&self) -> Option<&dyn LayoutView> {
        self.store.layout().map(|_| -> &dyn LayoutView { self })
    }
}

#[async_trait]
impl<S: Store> LayoutView for Failing<S> {
    async fn apply(
        &self,
        repository: &RepositoryName,
        changes: Vec<LayoutChange>,
        entries: Vec<LayoutEntry>,
    ) -> Result<(), StoreError> {
        match self.working()?.layout() {
            Some(layout) => layout.apply(repository, changes, entries).await,
            None => Ok(()),
        }
    }

    async fn shown(&self) -> Result<Vec<FoundLayout>, StoreError> {
        self.view()?.shown().await
    }

    async fn adopt(&self, layout: &ImageLayout, digest: &Digest, generation: u64) -> Result<Adopted, StoreError> {
        self.with_room()?;
        self.view()?.adopt(layout, digest, generation).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.view()?.census().await
    }
}

struct FailingObject {
    object: Box<dyn Object>,
    switch: Arc<AtomicBool>,
}

#[async_trait]
impl Object for FailingObject {
    fn size(&self) -> u64 {
        self.object.size()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        check(&self.switch)?;
        self.object.read(offset, length).await
    }
}
