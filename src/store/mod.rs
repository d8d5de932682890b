//! Immutable bytes.
//!
//! The contract of [`Store`] is what every implementation is tested against; nothing outside this module
//! knows about files. Small mutable facts live in [`crate::metadata`].

mod failing;
mod filesystem;
mod layout_reader;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) use filesystem::{Step, steps, unsynced};

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::oci::{Digest, Hasher, RepositoryName};

pub use failing::Failing;
pub use filesystem::{AT_THE_DISK, Beside, Candidate, Census, Draft, Filesystem, Holder, Placed, Serves, any_object};
pub use layout_reader::{
    Bounds, FoundLayout, FoundLayouts, ImageLayout, LayoutBlob, LayoutError, Read, UnreadableFolder, Visited,
    find_layouts, overlap, parse_manifest,
};

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

impl StoreError {
    /// Whether it is these bytes that the medium can't give back, rather than the machine that can't ask it now.
    pub fn is_of_the_medium(&self) -> bool {
        let Self::Io(error) = self else { return false };
        // EIO, ENODATA, EUCLEAN, EBADMSG: what Linux's file systems say of blocks that are bad or do not check.
        let bad = [5, 61, 117, 74];
        error.kind() == std::io::ErrorKind::UnexpectedEof
            || error.raw_os_error().is_some_and(|number| bad.contains(&number))
    }
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

    // What keeps objects sound, and room for what must not fail.

    /// Opens an object as it lies on the medium, to be read once from its beginning to its end: what is in memory
    /// stays there, and what comes into memory for this leaves again, as far as the medium can be told.
    async fn open_cold(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError>;

    /// Puts an object out of reach, durably: it is absent from now on. Its bytes are kept aside until
    /// [`Store::forget_quarantined`]; who has it open reads on. Of what is absent it succeeds.
    async fn quarantine(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Opens what [`Store::quarantine`] keeps aside of an object, as [`Store::open_cold`] does.
    async fn open_quarantined(&self, quarantined: &ObjectKey) -> Result<Box<dyn Object>, StoreError>;

    /// Makes a copy of what [`Store::quarantine`] keeps aside of `quarantined` an object in `generation`, durably, which was
    /// never used before for this digest, if it is `size` bytes that hash to `digest`: it is hashed as it is copied. `None`
    /// if it is something else, or nothing, or can't be read. What is kept aside stays there.
    async fn give_back(
        &self,
        quarantined: &ObjectKey,
        digest: &Digest,
        size: u64,
        generation: u64,
    ) -> Result<Option<ObjectKey>, StoreError>;

    /// Removes what [`Store::quarantine`] keeps aside of an object. Only keys come here whose bytes were given back, and are
    /// live under another. Of what is absent it succeeds.
    async fn forget_quarantined(&self, quarantined: &ObjectKey) -> Result<(), StoreError>;

    /// Objects after `after` in the order of their keys, a group of a size that the medium chooses; none at the end.
    async fn objects(&self, after: Option<&ObjectKey>) -> Result<Vec<StoredObject>, StoreError>;

    /// Sets room for `bytes` aside, or what was set aside before to that size. False if there is not so much room.
    async fn keep_reserve(&self, bytes: u64) -> Result<bool, StoreError>;

    /// Gives back the room that was set aside. False if there was none.
    async fn release_reserve(&self) -> Result<bool, StoreError>;

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

/// An object that is there, whatever the metadata says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: ObjectKey,
    /// When it became an object, or later.
    pub at: Timestamp,
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
    /// The manifest's media type; entries share it.
    pub media_type: Arc<str>,
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
    /// Applies `changes` in order and leaves `index.json` as it is: they come ahead of those with which it is written.
    async fn add(&self, repository: &RepositoryName, changes: Vec<LayoutChange>) -> Result<(), StoreError>;

    /// Applies `changes` in order, then writes `index.json` with `entries`. With no entries and no blob left,
    /// the repository's folder goes.
    async fn apply(
        &self,
        repository: &RepositoryName,
        changes: Vec<LayoutChange>,
        entries: Vec<LayoutEntry>,
    ) -> Result<(), StoreError>;

    /// The layouts that are shown, with the name of their repository, and the folders that can't be read.
    async fn shown(&self) -> Result<FoundLayouts, StoreError>;

    /// Hashes a blob of any layout and makes it an object: by a link where that can be, else by a copy. Its bytes survive
    /// a power cut, its name does once it was settled: until then nothing may count on it. `generation` was never used
    /// before for this digest. What is refused leaves nothing behind.
    async fn adopt(&self, layout: &ImageLayout, digest: &Digest, generation: u64) -> Result<Adopted, StoreError>;

    /// Whether a layout has a blob: its file is the object `key`, or is hashed to tell. Whoever merely names content has none
    /// of it.
    async fn vouch(&self, layout: &ImageLayout, digest: &Digest, key: &ObjectKey) -> Result<Vouched, StoreError>;

    /// Makes adopted objects as durable as [`Store::seal`] makes its own: many cost little more than one.
    async fn settle(&self, adopted: Vec<ObjectKey>) -> Result<(), StoreError>;

    /// Which objects are stored, whatever the metadata says.
    async fn census(&self) -> Result<Census, StoreError>;

    /// Looks in the layouts of `repositories` for bytes of their own (not those of the object `rotten`) that are `size`
    /// and hash to `digest`, and makes the first an object in `generation`, durably. `None` if there are none.
    async fn salvage(
        &self,
        digest: &Digest,
        size: u64,
        rotten: &ObjectKey,
        generation: u64,
        repositories: Vec<RepositoryName>,
    ) -> Result<Option<ObjectKey>, StoreError>;

    /// The bytes of a manifest in the layout of a repository, if it has some, at most `limit`, that hash to `digest`.
    async fn manifest_copy(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Puts the `bytes` of a manifest in the place of its file in a layout, if there is one and it holds anything else or
    /// can't be read. Says what it found.
    async fn mend_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Mended, StoreError>;

    /// How many bytes the `index.json` of a repository's layout has; none if it is absent or does not parse.
    async fn index_bytes(&self, repository: &RepositoryName) -> Result<Option<u64>, StoreError>;
}

/// What [`LayoutView::mend_manifest`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// A file that holds what it should.
    Sound,
    /// A file that did not, and does now.
    Replaced,
    /// No file, and left it so: the view makes it.
    Absent,
}

/// What a layout has of a blob that is an object already.
#[derive(Debug)]
pub enum Vouched {
    /// All of it: so many bytes.
    Sound(u64),
    /// No such file.
    Absent,
    /// A file that is not what its name says, or can't be read.
    Refused(LayoutError),
}

/// What came of [`LayoutView::adopt`].
#[derive(Debug)]
pub enum Adopted {
    /// It is an object now.
    Stored {
        /// Its key.
        key: ObjectKey,
        /// Its size in bytes.
        size: u64,
        /// Whether the bytes were copied, for they could not be linked.
        copied: bool,
    },
    /// The layout has no such blob.
    Absent,
    /// The layout's file is not what its name says, or can't be read.
    Refused(LayoutError),
}
