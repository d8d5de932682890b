//! Which layouts lie below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{LayoutError, unreadable};
use crate::oci::RepositoryName;

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

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct FoundLayouts {
    /// The layouts, by name.
    pub layouts: Vec<FoundLayout>,
    /// Folders that can't be read, so that layouts may lie there that are not told.
    pub unreadable: Vec<UnreadableFolder>,
}

/// A folder that can't be read.
#[derive(Debug)]
pub struct UnreadableFolder {
    /// Where it is.
    pub folder: PathBuf,
    /// Why not.
    pub error: LayoutError,
}

/// The layouts in `folder` and below it. Links are not followed, and neither are folders whose name begins as no
/// repository's does. Only where `folder` itself can't be read it is an error: of what is below it, it is told, unless no
/// repository can have that name, as `lost+found`.
pub fn find_layouts(folder: &Path) -> Result<FoundLayouts, LayoutError> {
    find_by(folder, |folder| fs::read_dir(folder)?.collect())
}

fn find_by(folder: &Path, read: impl Fn(&Path) -> io::Result<Vec<fs::DirEntry>>) -> Result<FoundLayouts, LayoutError> {
    let mut found = FoundLayouts::default();
    let mut open = vec![(folder.to_owned(), String::new(), 0_usize)];
    while let Some((folder, name, depth)) = open.pop() {
        let is_layout = is_file(&folder.join("oci-layout"));
        let entries = match read(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(unreadable(&folder, &error)),
            Err(error) => {
                if name.parse::<RepositoryName>().is_ok() {
                    let error = unreadable(&folder, &error);
                    found.unreadable.push(UnreadableFolder { folder: folder.clone(), error });
                }
                Vec::new()
            }
        };
        for entry in entries {
            let Some(component) = component(&entry, is_layout) else { continue };
            if depth < MAX_DEPTH {
                let inner = if name.is_empty() { component } else { format!("{name}/{component}") };
                open.push((entry.path(), inner, depth.saturating_add(1)));
            }
        }
        if is_layout {
            found.layouts.push(FoundLayout { name, folder });
        }
    }
    found.layouts.sort_unstable();
    found.unreadable.sort_unstable_by(|one, other| one.folder.cmp(&other.folder));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_not_be_read_is_told_unless_no_repository_can_have_its_name() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in ["prod/app", "prod/closed/app", "lost+found"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::File::create(folder.path().join("prod/app/oci-layout")).unwrap();
        let closed_to = |names: &'static [&'static str]| {
            find_by(folder.path(), move |folder| {
                if names.iter().any(|name| folder.ends_with(name)) {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                fs::read_dir(folder)?.collect()
            })
        };
        let found = closed_to(&["lost+found", "prod/closed"]).unwrap();
        let names: Vec<_> = found.layouts.iter().map(|layout| layout.name.as_str()).collect();
        let unreadable: Vec<_> = found.unreadable.iter().map(|one| one.folder.clone()).collect();
        assert_eq!((names, unreadable), (vec!["prod/app"], vec![folder.path().join("prod/closed")]));
        assert!(found.unreadable[0].error.to_string().contains("permission denied"), "{found:?}");
        assert!(find_by(folder.path(), |_| Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }
}
