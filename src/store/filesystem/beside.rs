//! The tree, read beside the process that owns it: nothing in it is changed.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::Path;

use rustix::fs::{Access, OFlags, access};
use rustix::io::Errno;

use super::adopt::copy_hashed;
use super::census::generations;
use super::lock::Lock;
use super::object::open_file;
use super::path::{BLOBS, INDEX, OCI_LAYOUT, Root, WRITING, object_key};
use super::{Draft, absent, durable, index};
use crate::oci::Digest;
use crate::store::{LayoutEntry, ObjectKey, StoreError};

/// A tree that another process may own. Everything here blocks.
#[derive(Debug)]
pub struct Beside {
    root: Root,
    is_still: bool,
    _unowned: Option<Lock>,
}

/// How an object got to another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// By a link: no byte was copied.
    Linked,
    /// By a copy, hashed on the way.
    Copied,
    /// It was there already.
    There,
    /// Not at all, for its bytes can't be read or are not what its name says: what was expected and what was found.
    Refused(String),
}

impl Beside {
    /// The tree at `root`, which must be there.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let root = root.canonicalize()?;
        durable::expect_folder(&root.join("_cas"))?;
        let root = Root::new(root);
        let (is_still, unowned) = stillness(&root);
        Ok(Self { root, is_still, _unowned: unowned })
    }

    /// Whether nothing in the tree changes as long as this lives: its folder can't be written to from here, as in a
    /// snapshot, and nobody owns it, by whatever other way it may be reached. Without a lock to keep it so, only what lies
    /// on a medium that is read-only is still.
    pub const fn is_still(&self) -> bool {
        self.is_still
    }

    /// The folder of the tree, without links on the way to it.
    pub fn folder(&self) -> &Path {
        self.root.folder()
    }

    /// Begins the folder `to`, as [`Draft::begin`] does. Refused inside the tree, where it would be taken for a part of it.
    pub fn draft(&self, to: &Path) -> Result<Draft, StoreError> {
        let draft = Draft::begin(to)?;
        if draft.folder().starts_with(self.folder()) {
            let message = format!("expected a folder outside {}, found {}", self.folder().display(), to.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message).into());
        }
        Ok(draft)
    }

    /// The size in bytes of an object; none if its file is not there.
    pub fn size(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        let Some(path) = self.root.object(key) else { return Ok(None) };
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts an object into the same place of the tree that is drafted. [`StoreError::Absent`] if it is gone.
    pub fn put_object(&self, draft: &Draft, digest: &Digest, key: &ObjectKey) -> Result<Placed, StoreError> {
        let there = Root::new(draft.folder().to_owned());
        let to = there.object(key).ok_or_else(|| absent(key))?;
        if fs::symlink_metadata(&to).is_ok() {
            return Ok(Placed::There);
        }
        if let Some(shard) = to.parent() {
            fs::create_dir_all(shard)?;
        }
        self.place(digest, key, &draft.folder().join(WRITING), &to)
    }

    /// Puts a blob into the layout that is drafted.
    pub fn put_blob(&self, draft: &Draft, digest: &Digest, key: &ObjectKey) -> Result<Placed, StoreError> {
        let to = blob(draft, digest)?;
        if fs::symlink_metadata(&to).is_ok() {
            return Ok(Placed::There);
        }
        self.place(digest, key, &draft.folder().join(WRITING), &to)
    }

    fn place(&self, digest: &Digest, key: &ObjectKey, draft: &Path, to: &Path) -> Result<Placed, StoreError> {
        let from = self.root.object(key).ok_or_else(|| absent(key))?;
        match fs::hard_link(&from, to) {
            Ok(()) => return Ok(Placed::Linked),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent(key)),
            // Another medium, one without links, or no link is left.
            Err(_) => {}
        }
        let file = match open_file(&from, OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(absent(key)),
            Err(error) => return Ok(Placed::Refused(unreadable(&error))),
            Ok(file) => file,
        };
        copy(file, digest, draft, to)
    }
}

/// Copies what is to be placed. What can't be read of it is told apart from what can't be written.
fn copy(from: impl Read, digest: &Digest, draft: &Path, to: &Path) -> Result<Placed, StoreError> {
    let mut from = Watched { from, failed: None };
    let copied = copy_hashed(&mut from, digest, draft, to);
    if !matches!(copied, Ok(Some(_))) {
        durable::remove(draft)?;
    }
    match (copied, from.failed) {
        (Ok(Some(_)), _) => Ok(Placed::Copied),
        (Ok(None), _) => Ok(Placed::Refused("expected bytes that hash to their name, found others".to_owned())),
        (Err(_), Some(why)) => Ok(Placed::Refused(why)),
        (Err(error), None) => Err(error.into()),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("expected a file that can be read, found {error}")
}

/// A reader that remembers whether it was itself what failed.
struct Watched<R> {
    from: R,
    failed: Option<String>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some(unreadable(error));
        }
        read
    }
}

/// Whether the tree is known to be still, and what keeps it so.
fn stillness(root: &Root) -> (bool, Option<Lock>) {
    still(access(root.folder(), Access::WRITE_OK), || Lock::keep_unowned(root))
}

/// The same, from what came of asking whether the tree can be written to. A backup has no lock before it is served: on a
/// medium that nobody can write to it needs none, but where only this user can't, another may begin to serve it at any moment.
fn still(may_write: Result<(), Errno>, keep: impl FnOnce() -> io::Result<Option<Lock>>) -> (bool, Option<Lock>) {
    let Err(error @ (Errno::ROFS | Errno::ACCESS | Errno::PERM)) = may_write else { return (false, None) };
    match keep() {
        Ok(unowned) => (unowned.is_some(), unowned),
        Err(lock) => (error == Errno::ROFS && lock.kind() == io::ErrorKind::NotFound, None),
    }
}

fn blob(draft: &Draft, digest: &Digest) -> io::Result<std::path::PathBuf> {
    let folder = draft.folder().join(BLOBS).join(digest.algorithm().as_str());
    fs::create_dir_all(&folder)?;
    Ok(folder.join(digest.hex()))
}

impl Draft {
    /// Writes a manifest into the layout that is drafted.
    pub fn put_manifest(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let to = blob(self, digest)?;
        Ok(durable::replace(&self.folder().join(WRITING), &to, |file| file.write_all(bytes))?)
    }

    /// Writes the two files that make the folder an image layout of these entries.
    pub fn put_index(&self, entries: &[LayoutEntry]) -> Result<(), StoreError> {
        let (draft, folder) = (self.folder().join(WRITING), self.folder());
        fs::create_dir_all(folder.join(BLOBS).join("sha256"))?;
        durable::replace(&draft, &folder.join(OCI_LAYOUT), |file| file.write_all(index::OCI_LAYOUT))?;
        Ok(durable::replace(&draft, &folder.join(INDEX), |file| super::layout::write_entries(file, entries))?)
    }

    /// The objects of the tree that is drafted.
    pub fn objects(&self) -> Result<Vec<(Digest, ObjectKey)>, StoreError> {
        let found = generations(&Root::new(self.folder().to_owned()))?;
        let keys = |(digest, generations): (Digest, Vec<u64>)| {
            generations.into_iter().map(move |generation| (digest, object_key(&digest, generation)))
        };
        Ok(found.into_iter().flat_map(keys).collect())
    }

    /// Removes an object of the tree that is drafted.
    pub fn remove_object(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let path = Root::new(self.folder().to_owned()).object(key).ok_or_else(|| absent(key))?;
        Ok(durable::remove(&path)?)
    }

    /// Removes a file at the top of the draft, if it is there.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        Ok(durable::remove(&self.folder().join(name))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes, and then the medium refuses.
    struct Broken(bool);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(Errno::IO.into());
            }
            buffer[..4].copy_from_slice(b"some");
            Ok(4)
        }
    }

    #[test]
    fn what_can_not_be_read_is_refused_and_what_can_not_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [draft, to] = ["draft", "to"].map(|name| folder.path().join(name));
        let digest = Digest::sha256(b"some bytes");
        let placed = copy(Broken(false), &digest, &draft, &to).unwrap();
        assert!(matches!(&placed, Placed::Refused(why) if why.contains("can be read, found ")), "{placed:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(copy(&b"some bytes"[..], &digest, &draft, &to).unwrap(), Placed::Copied);
        let nowhere = folder.path().join("absent/draft");
        assert!(copy(&b"some bytes"[..], &digest, &nowhere, &to).is_err());
    }

    #[test]
    fn without_a_lock_only_what_is_on_a_medium_that_is_read_only_is_still() {
        let none = || Err(io::ErrorKind::NotFound.into());
        assert!(still(Err(Errno::ROFS), none).0);
        for may_write in [Err(Errno::ACCESS), Err(Errno::PERM), Err(Errno::IO), Ok(())] {
            assert!(!still(may_write, none).0, "{may_write:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().to_owned());
        let owned = Lock::take(&root).unwrap();
        assert!(!still(Err(Errno::ACCESS), || Lock::keep_unowned(&root)).0, "somebody owns it");
        drop(owned);
        assert!(still(Err(Errno::ACCESS), || Lock::keep_unowned(&root)).0);
    }
}
