//! Sound bytes found again: in layouts, where a link was a copy, or another program put a file of its own; and where
//! quarantined files are kept, for what the medium refused once it may give back later.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::OFlags;
use uuid::Uuid;

use super::durable;
use super::object::open_file;
use super::path::{Root, object_key};
use super::shard::Shards;
use crate::oci::{Digest, Hasher, RepositoryName};
use crate::store::{ObjectKey, StoreError};

/// How much is copied at once.
const PIECE: usize = 256 * 1024;

/// What is looked for.
pub(super) struct Wanted {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) rotten: ObjectKey,
    pub(super) generation: u64,
}

/// Makes the first sound copy in the layouts of `repositories` an object.
pub(super) fn object(
    root: &Root,
    shards: &Shards,
    wanted: &Wanted,
    repositories: &[RepositoryName],
) -> Result<Option<ObjectKey>, StoreError> {
    let paths = [root.quarantined(&wanted.rotten), root.object(&wanted.rotten)];
    let rotten = paths.iter().flatten().find_map(|path| std::fs::symlink_metadata(path).ok());
    for repository in repositories {
        let Some(copy) = copy_of(&root.layout_blob(repository, &wanted.digest), rotten.as_ref()) else { continue };
        if let Some(key) = object_of(root, shards, wanted, copy)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Makes a copy of what is kept aside an object, if it is sound after all.
pub(super) fn kept_aside(root: &Root, shards: &Shards, wanted: &Wanted) -> Result<Option<ObjectKey>, StoreError> {
    let Some(path) = root.quarantined(&wanted.rotten) else { return Ok(None) };
    let Some(file) = copy_of(&path, None) else { return Ok(None) };
    object_of(root, shards, wanted, file)
}

fn object_of(root: &Root, shards: &Shards, wanted: &Wanted, copy: File) -> Result<Option<ObjectKey>, StoreError> {
    // An upload that nobody knows: should this be the end, the next start discards it.
    let draft = root.upload(Uuid::new_v4());
    let taken = take_over(root, shards, wanted, copy, &draft);
    if !matches!(taken, Ok(Some(_))) {
        durable::remove(&draft)?;
    }
    Ok(taken?)
}

/// The file at `path`, unless it is the rotten one by another name.
fn copy_of(path: &Path, rotten: Option<&Metadata>) -> Option<File> {
    let file = open_file(path, OFlags::RDONLY).ok()?;
    let found = file.metadata().ok()?;
    let same = rotten.is_some_and(|rotten| (rotten.dev(), rotten.ino()) == (found.dev(), found.ino()));
    (!same).then_some(file)
}

fn take_over(
    root: &Root,
    shards: &Shards,
    wanted: &Wanted,
    mut copy: File,
    draft: &Path,
) -> io::Result<Option<ObjectKey>> {
    let mut to = File::create_new(draft)?;
    let mut hasher = Hasher::new(wanted.digest.algorithm());
    let (mut buffer, mut size) = (vec![0; PIECE], 0_u64);
    // A copy that can't be read is no copy.
    while let Ok(read) = copy.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        to.write_all(bytes)?;
        size = size.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    if size != wanted.size || hasher.finish() != wanted.digest {
        return Ok(None);
    }
    let key = object_key(&wanted.digest, wanted.generation);
    let path = root.cas().join(&key.0);
    shards.make_for(&path)?;
    durable::publish(&to, draft, &path)?;
    Ok(Some(key))
}

/// The bytes that a layout has under the name of a manifest, if they are what the name says.
pub(super) fn manifest(root: &Root, repository: &RepositoryName, digest: &Digest, limit: u64) -> Option<Bytes> {
    // A copy that can't be read is no copy.
    let file = open_file(&root.layout_blob(repository, digest), OFlags::RDONLY).ok()?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    (Digest::of(digest.algorithm(), &bytes) == *digest).then(|| Bytes::from(bytes))
}
