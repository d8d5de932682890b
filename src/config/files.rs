//! The folders of policies and trust, read as one snapshot.

use std::path::Path;

use crate::files::Files;
use crate::mistake::Mistake;

/// Reads both folders whole, as `policies/…` and `trust/…`.
pub fn read(policies: &Path, trust: &Path) -> Result<Files, Vec<Mistake>> {
    let _ = (policies, trust);
    Err(vec![Mistake::new("policies", 0, "expected a folder")])
}

/// Changes whenever a file of `paths` changes, by size, time and inode; cheap enough for every second.
pub fn fingerprint(paths: &[&Path]) -> u64 {
    let _ = paths;
    0
}
