//! Which objects are there, one shard after the other.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::path::{ALGORITHMS, Root};
use crate::clock::Timestamp;
use crate::store::{ObjectKey, StoreError, StoredObject};

/// The objects of the first shard that has some after `after`, in the order of their keys.
pub(super) fn group(root: &Root, after: Option<&ObjectKey>) -> Result<Vec<StoredObject>, StoreError> {
    let after = after.map_or("", |key| key.0.as_str());
    for algorithm in ALGORITHMS {
        let mut shards = names(&root.cas().join(algorithm.as_str()))?;
        shards.sort_unstable();
        for shard in shards {
            let prefix = format!("{}/{shard}/", algorithm.as_str());
            // `0` is what follows `/`: every key of this shard is before it.
            if format!("{}/{shard}0", algorithm.as_str()).as_str() <= after {
                continue;
            }
            let found = objects(root, &prefix, after)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Vec::new())
}

fn objects(root: &Root, prefix: &str, after: &str) -> Result<Vec<StoredObject>, StoreError> {
    let mut found = Vec::new();
    for name in names(&root.cas().join(prefix))? {
        let key = ObjectKey(format!("{prefix}{name}"));
        let Some(path) = root.object(&key).filter(|_| key.0.as_str() > after) else { continue };
        match fs::symlink_metadata(path) {
            Ok(file) if file.is_file() => found.push(StoredObject { key, at: changed(&file) }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    found.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// When the file came under its name: a rename changes the inode and not what was written, which may be much older.
fn changed(file: &fs::Metadata) -> Timestamp {
    let seconds = file.ctime().max(file.mtime());
    Timestamp::from_micros(seconds.saturating_add(1).saturating_mul(1_000_000))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        // Names that are no text are not ours.
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}
