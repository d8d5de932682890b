//! Objects read once, from end to end, without disturbing what is in memory.

use std::fs::File;
use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{Advice, OFlags, fadvise};
use rustix::io::ReadWriteFlags;

use super::object::{not_opened, open_file};
use super::{absent, blocking};
use crate::store::{Object, ObjectKey, StoreError};

struct ColdObject {
    file: Arc<File>,
    size: u64,
}

/// Opens the object of `key` anew at its place: what is open elsewhere is not looked at.
pub(super) fn open(key: &ObjectKey, place: Option<PathBuf>) -> Result<Box<dyn Object>, StoreError> {
    let path = place.ok_or_else(|| absent(key))?;
    let file = open_file(&path, OFlags::RDONLY).map_err(|error| not_opened(error, &path, key))?;
    let size = file.metadata()?.len();
    // Without it the kernel reads ahead, and what it brings looks as if it had been in memory.
    advise(&file, 0, size, Advice::Random);
    Ok(Box::new(ColdObject { file: Arc::new(file), size }))
}

/// Tells the kernel what is likely; a file system that does not listen loses nothing.
fn advise(file: &File, offset: u64, length: u64, advice: Advice) {
    fadvise(file, offset, NonZeroU64::new(length), advice).ok();
}

#[async_trait]
impl Object for ColdObject {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let left = self.size.saturating_sub(offset);
        let wanted = usize::try_from(left).map_or(length, |left| left.min(length));
        let file = Arc::clone(&self.file);
        blocking(move || {
            let mut buffer = vec![0; wanted];
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let warm = rustix::io::preadv2(&*file, &mut slices, offset, ReadWriteFlags::NOWAIT).unwrap_or(0);
            if warm != wanted {
                file.read_exact_at(&mut buffer, offset)?;
                advise(&file, offset, u64::try_from(wanted).unwrap_or(u64::MAX), Advice::DontNeed);
            }
            Ok(Bytes::from(buffer))
        })
        .await
    }
}
