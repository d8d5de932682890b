//! The folders that objects lie in.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::durable::{self, Found};
use super::journal::{self, Step};
use super::path::{ALGORITHMS, Root};

/// The shards whose own names are known to survive a power cut: most seals have only their object's name to sync.
#[derive(Debug)]
pub(super) struct Shards(Mutex<HashSet<PathBuf>>);

impl Shards {
    /// Makes the folders above the shards, and takes in the shards that are there.
    pub(super) fn open(root: &Root) -> io::Result<Self> {
        let mut synced = HashSet::new();
        for algorithm in ALGORITHMS {
            let folder = root.cas().join(algorithm.as_str());
            durable::make_folders(root.folder(), &Path::new("_cas").join(algorithm.as_str()), Found::Perhaps)?;
            // Whoever made the shards may have died before syncing their names.
            durable::sync_folder(&folder)?;
            for shard in fs::read_dir(&folder)? {
                synced.insert(shard?.path());
            }
        }
        Ok(Self(Mutex::new(synced)))
    }

    /// Makes the shard that `object` will lie in, durably, unless it is there.
    pub(super) fn make_for(&self, object: &Path) -> io::Result<()> {
        let Some((shard, above)) = object.parent().and_then(|shard| Some((shard, shard.parent()?))) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(shard) {
            return Ok(());
        }
        // Another seal may be making it just now and not have synced it: both sync.
        match fs::create_dir(shard) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => durable::expect_folder(shard)?,
            made => {
                made?;
                journal::note(shard, Step::Made);
            }
        }
        durable::sync_folder(above)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(shard.to_path_buf());
        Ok(())
    }
}
