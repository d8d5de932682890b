//! A root whose metadata is lost: what is stored would be nobody's, so nothing goes on over it but a rebuild.

use std::path::Path;

use crate::metadata::{FILE, Sqlite};
use crate::store::{any_object, find_layouts};

/// Content without metadata. Empty metadata over it would write its layouts anew, without anything in them, and a scrub
/// would remove its objects: all that [`rebuild`](super::rebuild) has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected in {root} the metadata of what is stored there, found {found} and {stored}: \
     restore {FILE} from a backup, or let `hallmark rebuild` make it afresh"
)]
pub struct Lost {
    root: String,
    found: String,
    stored: String,
}

/// Whether the root has lost its metadata: there is none, or nothing was ever written to it, but content is there. A
/// root that is new, or whose first start was interrupted, has no content.
pub fn lost(root: &Path) -> Option<Lost> {
    let database = root.join(FILE);
    if !Sqlite::is_blank(&database) {
        return None;
    }
    let is_there = database.symlink_metadata().is_ok();
    let found = if is_there { format!("a {FILE} with nothing in it") } else { format!("no {FILE}") };
    Some(Lost { root: root.display().to_string(), found, stored: stored(root)? })
}

/// Something that is stored, if anything is. What can't be read is taken for nothing: a layout has objects, and whoever
/// can't read those can't serve either.
fn stored(root: &Path) -> Option<String> {
    if let Ok(Some(key)) = any_object(root) {
        return Some(format!("the object _cas/{key}"));
    }
    let layout = find_layouts(root).unwrap_or_default().into_iter().next()?;
    Some(format!("an image layout in {}", layout.folder.display()))
}
