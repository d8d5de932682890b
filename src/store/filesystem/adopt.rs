//! Blobs of other layouts become objects: hashed, then linked or copied; then, many at once, durable by name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::layout::LinkFn;
use super::path::{Root, object_key};
use super::upload::Uploads;
use super::{StoreError, durable, journal};
use crate::oci::Digest;
use crate::store::layout_reader::{ImageLayout, LayoutError, hash};
use crate::store::{Adopted, ObjectKey, Vouched};

impl Uploads {
    /// Makes a blob of a layout an object.
    pub(super) fn adopt(
        &self,
        layout: &ImageLayout,
        digest: &Digest,
        generation: u64,
        link: LinkFn,
    ) -> Result<Adopted, StoreError> {
        let path = layout.path(digest);
        let file = match layout.open_file(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Adopted::Absent),
            Err(error) => return Ok(Adopted::Refused(error)),
        };
        let key = object_key(digest, generation);
        let to = self.root.cas().join(&key.0);
        self.shards.make_for(&to)?;
        if file.metadata()?.dev() != fs::symlink_metadata(self.root.cas())?.dev() {
            return self.copy(&file, digest, key, &to);
        }
        let size = match hashed(&file, &path, digest) {
            Ok(size) => size,
            Err(error) => return Ok(Adopted::Refused(error)),
        };
        // Whoever wrote it may not have synced it.
        durable::sync_bytes(&file, &to)?;
        match link(&path.canonicalize()?, &to) {
            Ok(()) if is_same(&file, &to)? => journal::renamed(&to, &to),
            // Somebody put another file in its place since it was hashed.
            Ok(()) => {
                durable::remove(&to)?;
                return self.copy(&file, digest, key, &to);
            }
            // The medium has no more links for it, or the file is another user's.
            Err(error) if is_refused(error.kind()) => {
                return self.copy(&file, digest, key, &to);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Adopted::Stored { key, size, copied: false })
    }

    /// Makes the names of adopted objects survive a power cut: each folder that they lie in is synced once.
    pub(super) fn settle(&self, adopted: &[ObjectKey]) -> Result<(), StoreError> {
        let objects = adopted.iter().map(|key| self.root.cas().join(&key.0));
        let folders: BTreeSet<PathBuf> = objects.filter_map(|object| object.parent().map(Path::to_path_buf)).collect();
        Ok(folders.iter().try_for_each(|folder| durable::sync_folder(folder))?)
    }

    fn copy(&self, mut from: &File, digest: &Digest, key: ObjectKey, to: &Path) -> Result<Adopted, StoreError> {
        from.rewind()?;
        // Among the uploads, so that what a crash leaves is discarded as one of them.
        let draft = self.root.upload(Uuid::new_v4());
        let copied = copy_hashed(from, digest, &draft, to);
        if !matches!(copied, Ok(Some(_))) {
            durable::remove(&draft)?;
        }
        Ok(match copied? {
            Some(size) => Adopted::Stored { key, size, copied: true },
            None => Adopted::Refused(LayoutError::Mismatch(*digest)),
        })
    }
}

/// What a layout has of a blob that is the object `key` already.
pub(super) fn vouch(
    root: &Root,
    layout: &ImageLayout,
    digest: &Digest,
    key: &ObjectKey,
) -> Result<Vouched, StoreError> {
    let path = layout.path(digest);
    let file = match layout.open_file(&path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Vouched::Absent),
        Err(error) => return Ok(Vouched::Refused(error)),
    };
    // It was hashed when it became an object. One that is lost is no file's.
    if root.object(key).is_some_and(|object| is_same(&file, &object).unwrap_or(false)) {
        return Ok(Vouched::Sound(file.metadata()?.len()));
    }
    Ok(hashed(&file, &path, digest).map_or_else(Vouched::Refused, Vouched::Sound))
}

/// How many bytes the file has, if they hash to `digest`.
fn hashed(file: &File, path: &Path, digest: &Digest) -> Result<u64, LayoutError> {
    match hash(file, digest.algorithm(), |_| Ok(())) {
        Ok((found, size)) if found == *digest => Ok(size),
        Ok(_) => Err(LayoutError::Mismatch(*digest)),
        Err(error) => Err(LayoutError::Unreadable { path: path.to_owned(), found: error.to_string() }),
    }
}

/// Copies what is left of `from` to `to` by way of `draft`, durably, and says how many bytes that were; none if they do
/// not hash to `digest`, and then nothing is at `to`.
pub(super) fn copy_hashed(from: impl io::Read, digest: &Digest, draft: &Path, to: &Path) -> io::Result<Option<u64>> {
    let mut file = File::create_new(draft)?;
    let (found, size) = hash(from, digest.algorithm(), |piece| file.write_all(piece))?;
    if found != *digest {
        return Ok(None);
    }
    durable::publish(&file, draft, to)?;
    Ok(Some(size))
}

/// Whether it is the link that is refused, and a copy may do.
fn is_refused(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(kind, CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let (opened, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}
