//! What only a file system shows. The contract is held by `store::contract`.

mod adopt;
mod layout;
mod power;
mod rot;
mod tree;

use tempfile::TempDir;

use super::Filesystem;

/// An empty store, and the folder that goes when the test ends.
fn empty() -> (Filesystem, TempDir) {
    let folder = TempDir::new().unwrap();
    (Filesystem::open(folder.path()).unwrap(), folder)
}
