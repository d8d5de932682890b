//! Room set aside in a file, for when there is no other.

use std::fs::File;
use std::io;

use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate};
use rustix::io::Errno;

use super::durable;
use super::path::Root;

/// Sets `bytes` aside. False if there is not so much room, or the file system can't set room aside.
pub(super) fn keep(root: &Root, bytes: u64) -> io::Result<bool> {
    let path = root.reserve();
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600)) {
        Err(Errno::NOSPC | Errno::DQUOT) => return Ok(false),
        opened => File::from(opened?),
    };
    if file.metadata()?.len() > bytes {
        file.set_len(bytes)?;
    }
    if bytes == 0 {
        return Ok(false);
    }
    let Err(error) = fallocate(&file, FallocateFlags::empty(), 0, bytes) else { return Ok(true) };
    durable::remove(&path)?;
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::OPNOTSUPP => Ok(false),
        error => Err(error.into()),
    }
}

/// Gives the room back.
pub(super) fn release(root: &Root) -> io::Result<bool> {
    match std::fs::remove_file(root.reserve()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
