//! Objects open for reading.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::sync::Cache;
use rustix::fs::{Mode, OFlags};
use rustix::io::ReadWriteFlags;

use super::buffer::Buffers;
use super::path::{QUARANTINE, Root};
use super::{absent, blocking, durable};
use crate::store::{Object, ObjectKey, StoreError};

/// How many objects stay open when nobody reads them. The usual limit of a process is 1,024 descriptors,
/// and connections need theirs.
const KEPT_OPEN: usize = 256;

/// The objects of the tree, and those that are open.
#[derive(Debug)]
pub(super) struct Objects {
    root: Arc<Root>,
    open: Cache<ObjectKey, Arc<OpenFile>>,
    buffers: Arc<Buffers>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    size: u64,
}

impl OpenFile {
    fn has_its_size(&self) -> bool {
        self.file.metadata().is_ok_and(|now| now.len() == self.size)
    }
}

impl Objects {
    pub(super) fn new(root: Arc<Root>) -> Self {
        Self { root, open: Cache::new(KEPT_OPEN), buffers: Arc::default() }
    }

    /// Opens an object: what is open already is looked at no further than whether its size is still the one that it had,
    /// so that one whose file was cut short is noticed as if it were opened for the first time.
    pub(super) fn open(&self, key: &ObjectKey) -> Result<Box<dyn Object>, StoreError> {
        let file = match self.open.get(key) {
            Some(file) if file.has_its_size() => file,
            _ => self.open_anew(key)?,
        };
        Ok(Box::new(FileObject { file, buffers: Arc::clone(&self.buffers) }))
    }

    fn open_anew(&self, key: &ObjectKey) -> Result<Arc<OpenFile>, StoreError> {
        let path = self.root.object(key).ok_or_else(|| absent(key))?;
        let file = open_file(&path, OFlags::RDONLY).map_err(|error| not_opened(error, &path, key))?;
        let size = file.metadata()?.len();
        let file = Arc::new(OpenFile { file, size });
        self.open.insert(key.clone(), Arc::clone(&file));
        // `remove` unlinks, then evicts. If it unlinked before this look, it may have evicted before the line
        // above; if after, its eviction is still to come. Either way no removed file stays open here.
        if let Err(error) = fs::symlink_metadata(&path) {
            self.open.remove(key);
            return Err(or_absent(error, key));
        }
        Ok(file)
    }

    /// The size of the file that is there now, whatever is open.
    pub(super) fn size(&self, key: &ObjectKey) -> Result<u64, StoreError> {
        let path = self.root.object(key).ok_or_else(|| absent(key))?;
        let found = fs::symlink_metadata(&path).map_err(|error| or_absent(error, key))?;
        if found.is_file() { Ok(found.len()) } else { Err(absent(key)) }
    }

    /// Removes an object; who has it open reads on.
    pub(super) fn remove(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let path = self.root.object(key).ok_or_else(|| absent(key))?;
        durable::remove(&path)?;
        self.open.remove(key);
        Ok(())
    }

    /// Moves an object to where nothing serves it; who has it open reads on.
    pub(super) fn quarantine(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let (path, aside) = self.root.object(key).zip(self.root.quarantined(key)).ok_or_else(|| absent(key))?;
        durable::make_folders(self.root.folder(), Path::new(QUARANTINE), durable::Found::Perhaps)?;
        let moved = durable::rename(&path, &aside);
        // In the order of `remove`, for the same reason.
        self.open.remove(key);
        match moved {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => {
                for folder in [&aside, &path].into_iter().filter_map(|file| file.parent()) {
                    durable::sync_folder(folder)?;
                }
                Ok(())
            }
        }
    }
}

pub(super) fn or_absent(error: io::Error, key: &ObjectKey) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound { absent(key) } else { error.into() }
}

/// Why an object could not be opened. Where something else is in its place, its file is not there, as [`Objects::size`]
/// says too.
pub(super) fn not_opened(error: io::Error, path: &Path, key: &ObjectKey) -> StoreError {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => absent(key),
        _ => or_absent(error, key),
    }
}

/// Opens a regular file that is there; a symbolic link in its place is refused.
pub(super) fn open_file(path: &Path, access: OFlags) -> io::Result<File> {
    // Who opens a pipe would wait for its other end.
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "expected a regular file, found something else"))
}

struct FileObject {
    file: Arc<OpenFile>,
    buffers: Arc<Buffers>,
}

#[async_trait]
impl Object for FileObject {
    fn size(&self) -> u64 {
        self.file.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let left = self.file.size.saturating_sub(offset);
        let wanted = usize::try_from(left).map_or(length, |left| left.min(length));
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = self.buffers.take(wanted);
        let filled = read_cached(&self.file.file, buffer.unfilled(0), offset);
        if filled == wanted {
            return Ok(buffer.into_bytes());
        }
        let file = Arc::clone(&self.file);
        blocking(move || {
            let from = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            file.file.read_exact_at(buffer.unfilled(filled), from)?;
            Ok(buffer.into_bytes())
        })
        .await
    }
}

/// Reads what is in memory already and never waits for the medium. Whatever stands in the way is for the read
/// that may wait to find out.
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> usize {
    rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT).unwrap_or(0)
}
