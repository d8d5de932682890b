//! The view of each repository as an [OCI image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md).

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;

use super::absent;
use super::durable::{self, Found, NewFile};
use super::index;
use super::journal::{self, Step};
use super::object::open_file;
use super::path::{ALGORITHMS, BLOBS, INDEX, OCI_LAYOUT, Root, WRITING};
use crate::oci::{Algorithm, Digest, RepositoryName};
use crate::store::{LayoutChange, LayoutEntry, Mended, ObjectKey, StoreError};

/// From so many new blobs on they are synced together: that may sync what others wrote as well.
const SEVERAL: usize = 4;
/// How many are at the most: each is open meanwhile.
const TOGETHER: usize = 128;

/// What makes a hard link: [`fs::hard_link`], or what a test puts in its place.
pub(super) type LinkFn = fn(&Path, &Path) -> io::Result<()>;

/// The layouts of all repositories.
#[derive(Debug)]
pub(super) struct Layout {
    root: Arc<Root>,
    link: LinkFn,
    /// Repositories nest: one that takes its folder down must not meet one that builds inside it.
    turn: Mutex<()>,
}

impl Layout {
    pub(super) fn new(root: Arc<Root>, link: LinkFn) -> Self {
        Self { root, link, turn: Mutex::default() }
    }

    pub(super) fn add(&self, repository: &RepositoryName, changes: &[LayoutChange]) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view(repository);
        view.make_folders(changes)?;
        view.change(changes)?;
        Ok(view.sync_blobs(changes)?)
    }

    pub(super) fn apply(
        &self,
        repository: &RepositoryName,
        changes: &[LayoutChange],
        entries: &[LayoutEntry],
    ) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view(repository);
        let adds = changes.iter().any(|change| !matches!(change, LayoutChange::Unlink(_)));
        if adds || !entries.is_empty() {
            view.make_folders(changes)?;
        }
        if !view.is_there()? {
            // Whoever took it down may have died half-way, or before that was synced.
            return Ok(view.take_down()?);
        }
        view.change(changes)?;
        if entries.is_empty() && view.is_bare()? {
            return Ok(view.take_down()?);
        }
        view.sync_blobs(changes)?;
        Ok(view.write_index(entries)?)
    }

    /// Puts `bytes` in the place of a blob that holds others. One that is absent stays so: the view makes it.
    pub(super) fn mend(&self, repository: &RepositoryName, digest: &Digest, bytes: &[u8]) -> io::Result<Mended> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view(repository);
        let blob = view.blob(digest);
        if !view.is_there()? || !is_there(&blob)? {
            return Ok(Mended::Absent);
        }
        if holds(&blob, bytes) {
            return Ok(Mended::Sound);
        }
        durable::replace(&view.draft(), &blob, |file| file.write_all(bytes))?;
        durable::sync_folder(&view.algorithm(digest.algorithm()))?;
        Ok(Mended::Replaced)
    }

    /// How many bytes an index that parses has; none if there is no such. It is replaced whole, so no turn is waited for.
    pub(super) fn index_bytes(&self, repository: &RepositoryName) -> Option<u64> {
        let index = self.root.folder().join(Root::repository(repository)).join(INDEX);
        let file = open_file(&index, OFlags::RDONLY).ok()?;
        let bytes = file.metadata().ok()?.len();
        index::is_whole(file).then_some(bytes)
    }

    fn view(&self, repository: &RepositoryName) -> View<'_> {
        let below = Root::repository(repository);
        View { folder: self.root.folder().join(&below), below, root: &self.root, link: self.link }
    }
}

/// The layout of one repository.
struct View<'layout> {
    root: &'layout Root,
    link: LinkFn,
    /// Relative to the root.
    below: PathBuf,
    folder: PathBuf,
}

impl View<'_> {
    fn make_folders(&self, changes: &[LayoutChange]) -> io::Result<()> {
        let default = Algorithm::default();
        // An index is written once the way to it was synced.
        let found = if fs::exists(self.folder.join(INDEX))? { Found::Synced } else { Found::Perhaps };
        durable::make_folders(self.root.folder(), &self.below.join(BLOBS).join(default.as_str()), found)?;
        for algorithm in algorithms(changes).filter(|algorithm| *algorithm != default) {
            durable::make_folders(&self.folder.join(BLOBS), Path::new(algorithm.as_str()), Found::Perhaps)?;
        }
        Ok(())
    }

    /// Whether there is a layout here. On the way to it nothing may be a symbolic link.
    fn is_there(&self) -> io::Result<bool> {
        let mut folder = self.root.folder().to_path_buf();
        for component in self.below.join(BLOBS).components() {
            folder.push(component);
            match durable::expect_folder(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                result => result?,
            }
        }
        Ok(true)
    }

    /// Makes the changes, each of another digest.
    fn change(&self, changes: &[LayoutChange]) -> Result<(), StoreError> {
        let mut new = Vec::new();
        for change in changes {
            match change {
                LayoutChange::Link(digest, key) => self.link(digest, key)?,
                LayoutChange::Write(digest, bytes) => {
                    let blob = self.blob(digest);
                    if !is_file_of(&blob, u64::try_from(bytes.len()).unwrap_or(u64::MAX))? {
                        new.push((blob, &**bytes));
                    }
                }
                LayoutChange::Unlink(digest) => remove_file(&self.blob(digest))?,
            }
            if new.len() >= TOGETHER {
                self.write(mem::take(&mut new))?;
            }
        }
        Ok(self.write(new)?)
    }

    fn algorithm(&self, algorithm: Algorithm) -> PathBuf {
        self.folder.join(BLOBS).join(algorithm.as_str())
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.algorithm(digest.algorithm()).join(digest.hex())
    }

    fn draft(&self) -> PathBuf {
        self.folder.join(WRITING)
    }

    /// Links the blob to the object. Where the object can have no more links, it becomes a file of its own.
    fn link(&self, digest: &Digest, key: &ObjectKey) -> Result<(), StoreError> {
        let object = self.root.object(key).ok_or_else(|| absent(key))?;
        let blob = self.blob(digest);
        let linked = match (self.link)(&object, &blob) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.relink(&object, &blob),
            linked => linked,
        };
        let linked = match linked {
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks => self.copy(&object, &blob),
            linked => linked,
        };
        journal::note(&blob, Step::Named);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent(key)),
            linked => Ok(linked?),
        }
    }

    /// Replaces a blob that is there already, perhaps a link to an older generation, which would keep its bytes.
    fn relink(&self, object: &Path, blob: &Path) -> io::Result<()> {
        let (ours, theirs) = (fs::symlink_metadata(blob)?, fs::symlink_metadata(object)?);
        if (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()) {
            return Ok(());
        }
        let draft = self.draft();
        durable::remove(&draft)?;
        (self.link)(object, &draft)?;
        // Sealed, and so synced.
        journal::note(&draft, Step::BytesSynced);
        durable::rename(&draft, blob)
    }

    fn copy(&self, object: &Path, blob: &Path) -> io::Result<()> {
        let mut from = open_file(object, OFlags::RDONLY)?;
        if is_file_of(blob, from.metadata()?.len())? {
            return Ok(());
        }
        durable::replace(&self.draft(), blob, |to| io::copy(&mut from, to).map(drop))
    }

    /// Writes blobs, together where they are several.
    fn write(&self, mut new: Vec<NewFile<'_>>) -> io::Result<()> {
        if new.len() >= SEVERAL {
            new = durable::make_together(&self.folder, new)?;
        }
        for (blob, bytes) in new {
            durable::replace(&self.draft(), &blob, |file| file.write_all(bytes))?;
        }
        Ok(())
    }

    fn sync_blobs(&self, changes: &[LayoutChange]) -> io::Result<()> {
        for algorithm in algorithms(changes) {
            match durable::sync_folder(&self.algorithm(algorithm)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn write_index(&self, entries: &[LayoutEntry]) -> io::Result<()> {
        let mark = self.folder.join(OCI_LAYOUT);
        if !fs::exists(&mark)? {
            durable::replace(&self.draft(), &mark, |file| file.write_all(index::OCI_LAYOUT))?;
        }
        durable::replace(&self.draft(), &self.folder.join(INDEX), |file| write_entries(file, entries))?;
        durable::sync_folder(&self.folder)
    }

    /// Whether no blob is left.
    fn is_bare(&self) -> io::Result<bool> {
        for algorithm in ALGORITHMS {
            let mut blobs = match fs::read_dir(self.algorithm(algorithm)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                blobs => blobs?,
            };
            if blobs.next().is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what is there of the layout, then its folder and those above it that hold nothing else.
    fn take_down(&self) -> io::Result<()> {
        for file in [INDEX, OCI_LAYOUT, WRITING] {
            remove_file(&self.folder.join(file))?;
        }
        for algorithm in ALGORITHMS {
            remove_folder(&self.algorithm(algorithm))?;
        }
        remove_folder(&self.folder.join(BLOBS))?;
        let mut folder = self.folder.as_path();
        while folder != self.root.folder() && remove_folder(folder)? {
            let Some(parent) = folder.parent() else { break };
            folder = parent;
        }
        durable::sync_folder(folder)
    }
}

/// The algorithms that `changes` speak of.
fn algorithms(changes: &[LayoutChange]) -> impl Iterator<Item = Algorithm> {
    let of = |change: &LayoutChange| match change {
        LayoutChange::Link(digest, _) | LayoutChange::Write(digest, _) | LayoutChange::Unlink(digest) => {
            digest.algorithm()
        }
    };
    ALGORITHMS.into_iter().filter(move |algorithm| changes.iter().any(|change| of(change) == *algorithm))
}

/// Whether a whole file of this size is there. Its content is what its name says: it came here under that name, synced.
fn is_file_of(path: &Path, size: u64) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_file() && found.len() == size),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether anything is there.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|_| true),
    }
}

/// Whether a file holds these bytes. One that can't be read, or is no file, holds others.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let mut found = Vec::new();
    let read = open_file(path, OFlags::RDONLY).and_then(|file| {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
        file.take(more).read_to_end(&mut found)
    });
    read.is_ok() && found == bytes
}

/// Removes a file; one that is absent is removed.
fn remove_file(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Ok(()) => {
            journal::note(file, Step::Removed);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a folder and says whether it is gone; one that holds something stays.
fn remove_folder(folder: &Path) -> io::Result<bool> {
    match fs::remove_dir(folder) {
        Ok(()) => {
            journal::note(folder, Step::Removed);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn write_entries(file: &mut File, entries: &[LayoutEntry]) -> io::Result<()> {
    let mut writer = BufWriter::new(file);
    index::write(&mut writer, entries)?;
    writer.flush()
}
