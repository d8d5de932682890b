//! A folder that appears whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::durable;
use crate::store::StoreError;

/// A folder that is written under a temporary name beside its place, and gets its name when all in it is durable.
/// Dropped before, it goes with all in it.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    to: PathBuf,
    published: bool,
}

impl Draft {
    /// Begins the folder `to`, in a folder that is there. Refused if `to` exists.
    pub fn begin(to: &Path) -> Result<Self, StoreError> {
        if fs::symlink_metadata(to).is_ok() {
            let message = format!("expected {} not to exist, found it there", to.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message).into());
        }
        let Some(name) = to.file_name() else {
            let message = format!("expected a folder with a name of its own, found {}", to.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message).into());
        };
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize()?;
        let folder = parent.join(format!(".{}.{}", name.to_string_lossy(), Uuid::new_v4()));
        fs::create_dir(&folder)?;
        Ok(Self { folder, to: parent.join(name), published: false })
    }

    /// Where it is written.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Syncs every folder in it and gives it its name. The files in it are synced already.
    pub fn publish(mut self) -> Result<(), StoreError> {
        let mut open = vec![self.folder.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                }
            }
            durable::sync_folder(&folder)?;
        }
        durable::rename(&self.folder, &self.to)?;
        self.published = true;
        Ok(self.to.parent().map_or(Ok(()), durable::sync_folder)?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nobody was told of it; what can't be removed lies under a name that says what it is.
            fs::remove_dir_all(&self.folder).ok();
        }
    }
}
