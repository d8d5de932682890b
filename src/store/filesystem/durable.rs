//! The only place that syncs and renames.
//!
//! Bytes are synced before their name appears, and the folder of the name after: a power cut leaves the old state
//! or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, linkat, syncfs};

use super::journal::{self, Step};

/// Syncs the names in `folder`.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    journal::note(folder, Step::NamesSynced);
    Ok(())
}

/// Syncs the bytes of `file`, which is called `path` or is about to be.
pub(super) fn sync_bytes(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    journal::note(path, Step::BytesSynced);
    Ok(())
}

/// Makes the whole of `file`, whose path is `from`, appear as `to`; both survive a power cut afterwards.
pub(super) fn publish(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    sync_bytes(file, from)?;
    rename(from, to)?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Writes a new file at `draft`, syncs it and puts it in the place of `to`.
/// The name survives a power cut once its folder is synced.
pub(super) fn replace(draft: &Path, to: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    remove(draft)?;
    let mut file = File::create_new(draft)?;
    write(&mut file)?;
    sync_bytes(&file, draft)?;
    rename(draft, to)
}

/// The flag of a file that has no name.
const O_TMPFILE: i32 = OFlags::TMPFILE.bits().cast_signed();

/// A new file: where it is to appear, and its bytes.
pub(super) type NewFile<'a> = (PathBuf, &'a [u8]);

/// Makes new files in `folder` that no name leads to before their bytes are synced, and that nothing is left of where that
/// fails. Those that can't be made so are given back: something is there already, or the file system knows no such files.
/// The names survive a power cut once their folder is synced.
pub(super) fn make_together<'a>(folder: &Path, files: Vec<NewFile<'a>>) -> io::Result<Vec<NewFile<'a>>> {
    // Opened before anything is written: it tells of what could not be written since.
    let synced = File::open(folder)?;
    let mut drafts = Vec::with_capacity(files.len());
    for (_, bytes) in &files {
        let Ok(mut draft) = nameless(folder) else { return Ok(files) };
        draft.write_all(bytes)?;
        drafts.push(draft);
    }
    // One commit of the file system's journal for all of them, where to sync each takes one for each.
    syncfs(synced)?;
    let mut left = Vec::new();
    for (draft, (to, bytes)) in drafts.into_iter().zip(files) {
        if name(&draft, &to).is_ok() {
            journal::note(&to, Step::BytesSynced);
            journal::note(&to, Step::Named);
        } else {
            left.push((to, bytes));
        }
    }
    Ok(left)
}

/// A new file below `folder` that has no name.
fn nameless(folder: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(O_TMPFILE).open(folder)
}

/// Gives `file`, which has no name, this one.
fn name(file: &File, to: &Path) -> io::Result<()> {
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, file, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
}

/// Puts what `draft` names in the place of `to`. The bytes are synced already.
#[expect(clippy::disallowed_methods, reason = "this is the module that renames")]
pub(super) fn rename(draft: &Path, to: &Path) -> io::Result<()> {
    fs::rename(draft, to)?;
    journal::renamed(draft, to);
    Ok(())
}

/// Removes a file; one that is absent is removed.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether folders that are there already are known to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Something was stored behind them that is only stored once they were synced.
    Synced,
    /// Whoever made them may have died before that.
    Perhaps,
}

/// Makes each folder on the way from `base` to `base/below`, durably. What is on the way and not a folder is refused,
/// symbolic links among it.
pub(super) fn make_folders(base: &Path, below: &Path, found: Found) -> io::Result<()> {
    let mut folder = base.to_path_buf();
    for component in below.components() {
        let parent = folder.clone();
        folder.push(component);
        match fs::create_dir(&folder) {
            Ok(()) => journal::note(&folder, Step::Made),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                expect_folder(&folder)?;
                if found == Found::Synced {
                    continue;
                }
            }
            Err(error) => return Err(error),
        }
        sync_folder(&parent)?;
    }
    Ok(())
}

/// Makes `root` and whatever is absent above it, durably.
pub(super) fn make_root(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    let above = match root.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make_root(above)?;
    match fs::create_dir(root) {
        Ok(()) => journal::note(root, Step::Made),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    sync_folder(above)
}

/// Refuses what is not a folder, symbolic links among it.
pub(super) fn expect_folder(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    let message = format!("expected a folder at {}, found something else", path.display());
    Err(io::Error::new(io::ErrorKind::NotADirectory, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_system_can_not_make_together_is_given_back() {
        let files = || (0..5_u8).map(|name| (PathBuf::from(format!("/proc/{name}")), &b"bytes"[..])).collect();
        assert_eq!(make_together(Path::new("/proc"), files()).unwrap(), files());
    }
}
