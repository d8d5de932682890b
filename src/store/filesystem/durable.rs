//! The only place that syncs and renames.
//!
//! Bytes are synced before their name appears, and the folder of the name after: a power cut leaves the old state
//! or the new one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

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
