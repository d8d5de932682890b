//! Immutable bytes.
//!
//! The contract of [`Store`] is what every implementation is tested against; nothing outside this module
//! knows about files. Small mutable facts live in [`crate::metadata`].

mod failing;
mod filesystem;

#[cfg(test)]
mod contract;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::oci::{Digest, Hasher, RepositoryName};

pub use failing::Failing;
pub use filesystem::Filesystem;

/// How many bytes a reader should ask [`Object::read`] for at once: what one positioned read brings well.
pub const READ_BYTES: usize = 256 * 1024;

/// The opaque name of stored bytes: made by [`Store::seal`], kept in the metadata, never derived from a digest elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(pub String);

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is stored under this key, or no such upload is open.
    #[error("nothing is stored under {0}")]
    Absent(String),
    /// No space is left: 507.
    #[error("no space is left")]
    Full,
    /// Anything else that the medium says: 503.
    #[error("the store can't answer")]
    Io(#[source] std::io::Error),
}

/// Immutable bytes, written as uploads and read as objects.
///
/// - **Durability.** When [`Store::seal`] returns, the bytes and their name survive a power cut.
///   [`Store::append`] survives the death of the process only.
/// - **Atomicity.** An object is there whole or not at all. A crash leaves at most an upload, or an object that
///   no metadata names: garbage, never a lie.
/// - **Idempotence.** `discard` and `remove` of what is absent succeed.
/// - **Trust.** The caller has hashed what it seals; the store does not hash again.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Opens an upload. Its identifier is never used twice.
    async fn begin(&self, upload: Uuid) -> Result<(), StoreError>;

    /// Writes `bytes` at `offset` of an open upload and feeds them to `hasher`, which is returned.
    /// Writing the same range again overwrites it.
    async fn append(&self, upload: Uuid, offset: u64, bytes: Bytes, hasher: Hasher) -> Result<Hasher, StoreError>;

    /// Hashes the first `size` bytes of an open upload by another algorithm than it was written with.
    async fn rehash(&self, upload: Uuid, size: u64, hasher: Hasher) -> Result<Hasher, StoreError>;

    /// Makes the first `size` bytes of an upload an immutable object, durably. Bytes behind `size` (an append that was
    /// never acknowledged) are cut off. `generation` was never used before for this digest.
    async fn seal(&self, upload: Uuid, size: u64, digest: &Digest, generation: u64) -> Result<ObjectKey, StoreError>;

    /// The key that [`Store::seal`] will return: known before, so that it can be noted what is about to be sealed.
    fn key(&self, upload: Uuid, digest: &Digest, generation: u64) -> ObjectKey;

    /// The size in bytes of an object, asked of the medium afresh: whether the bytes are there still.
    async fn size(&self, key: &ObjectKey) -> Result<u64, StoreError>;

    /// Makes an object that no metadata names the upload again that it was, so that its session can be gone on with; a
    /// store that can't removes it. Succeeds if there is no such object: then the upload is as it was.
    async fn unseal(&self, key: &ObjectKey, upload: Uuid) -> Result<(), StoreError>;

    /// Forgets an upload.
    async fn discard(&self, upload: Uuid) -> Result<(), StoreError>;

    /// Opens an object for reading; it stays readable while open, even if it is removed.
    async fn open(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError>;

    /// Removes an object. Only keys come here that the metadata has put in its trash, or that no commit has named.
    async fn remove(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// The uploads that are there, whatever the metadata says: start-up discards those it does not know.
    async fn uploads(&self) -> Result<Vec<Uuid>, StoreError>;

    /// Bytes that are free on the medium, if it can say.
    async fn free_bytes(&self) -> Result<Option<u64>, StoreError>;

    /// The OCI image layout that other tools read, where the medium can show one.
    fn layout(&self) -> Option<&dyn LayoutView>;
}

/// An object open for reading.
#[async_trait]
pub trait Object: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// At most `length` bytes from `offset`; fewer only at the end.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError>;
}

/// One change to a repository's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutChange {
    /// The blob is there: link it.
    Link(Digest, ObjectKey),
    /// The manifest is there: write its bytes.
    Write(Digest, Bytes),
    /// Nothing of this digest is there any more.
    Unlink(Digest),
}

/// One entry of `index.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutEntry {
    /// The manifest's media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The tag, as `org.opencontainers.image.ref.name`; none for what is untagged.
    pub tag: Option<String>,
}

/// The view of each repository as an OCI image layout.
///
/// Applying the same changes twice is the same as once; `index.json` is replaced whole and atomically.
#[async_trait]
pub trait LayoutView: Send + Sync {
    /// Applies `changes` in order, then writes `index.json` with `entries`. With no entries and no blob left,
    /// the repository's folder goes.
    async fn apply(
        &self,
        repository: &RepositoryName,
        changes: Vec<LayoutChange>,
        entries: Vec<LayoutEntry>,
    ) -> Result<(), StoreError>;
}
