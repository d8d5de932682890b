//! Which layouts lie below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{LayoutError, unreadable};

/// How deep folders are looked into: a repository name has at most 128 components.
const MAX_DEPTH: usize = 128;

/// Names that a layout uses itself; a component of a repository name that is one of them has a `_` before it.
const MOVED_ASIDE: [&str; 3] = ["_blobs", "_index.json", "_oci-layout"];

/// A layout below a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundLayout {
    /// The names of the folders that lead to it, joined by `/`; empty is the folder that was looked into.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
}

/// The layouts in `folder` and below it, by name. Links are not followed, and neither are folders whose name can't be
/// part of a repository's.
pub fn find_layouts(folder: &Path) -> Result<Vec<FoundLayout>, LayoutError> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), String::new(), 0_usize)];
    while let Some((folder, name, depth)) = open.pop() {
        let is_layout = is_file(&folder.join("oci-layout"));
        let entries = fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let Some(component) = component(&entry, is_layout) else { continue };
            if depth < MAX_DEPTH {
                let inner = if name.is_empty() { component } else { format!("{name}/{component}") };
                open.push((entry.path(), inner, depth.saturating_add(1)));
            }
        }
        if is_layout {
            found.push(FoundLayout { name, folder });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The part of a repository's name that a folder stands for.
fn component(entry: &fs::DirEntry, in_layout: bool) -> Option<String> {
    if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
        return None;
    }
    let file = entry.file_name().into_string().ok()?;
    if MOVED_ASIDE.contains(&file.as_str()) {
        return file.strip_prefix('_').map(str::to_owned);
    }
    let is_own = in_layout && file == "blobs";
    (!is_own && !file.starts_with(['_', '.'])).then_some(file)
}

fn is_file(path: &Path) -> bool {
    let found: io::Result<fs::Metadata> = fs::symlink_metadata(path);
    found.is_ok_and(|found| found.is_file())
}

/// Whether one of two folders is in the other, links on the way to them resolved.
pub fn overlap(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (one.canonicalize()?, other.canonicalize()?);
    Ok(one.starts_with(&other) || other.starts_with(&one))
}
