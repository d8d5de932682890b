//! One process owns the tree.

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::holder::Holder;
use super::path::Root;

/// A lock on the tree, held as long as this lives. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who is in the way. It never waits.
    pub(super) fn take(root: &Root) -> io::Result<Self> {
        let path = root.lock();
        let open =
            |access| rustix::fs::open(&path, access | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::from_raw_mode(0o644));
        let file = match open(OFlags::RDWR | OFlags::CREATE) {
            // Who owns the tree can be asked by those who may only read it.
            Err(error @ (Errno::ROFS | Errno::ACCESS)) => open(OFlags::RDONLY).map_err(|_also| error),
            file => file,
        };
        let file = File::from(file?);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => {
                let message = format!(
                    "expected to own {} alone, found its lock taken by {}",
                    root.folder().display(),
                    Holder::in_the_way(root)
                );
                Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps everybody from owning the tree, and says nothing about who does. None if somebody owns it. It never waits.
    pub(super) fn keep_unowned(root: &Root) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(root.lock(), flags, Mode::empty())?);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
