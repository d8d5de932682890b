//! The contract on a file system, and what only a file system shows.

mod layout;
mod power;
mod tree;

use tempfile::TempDir;

use super::Filesystem;
use crate::store::contract::contract;

/// An empty store, and the folder that goes when the test ends.
fn empty() -> (Filesystem, TempDir) {
    let folder = TempDir::new().unwrap();
    (Filesystem::open(folder.path()).unwrap(), folder)
}

contract!(empty);
