//! One process owns the tree.

use std::fs::File;
use std::io;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::holder::Holder;
use super::path::Root;

/// The lock on the tree, held as long as this lives. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who is in the way. It never waits.
    pub(super) fn take(root: &Root) -> io::Result<Self> {
        let path = root.lock();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))?);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
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
}
