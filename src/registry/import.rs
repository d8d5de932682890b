//! Import: a tree of image layouts becomes repositories, its blobs linked and not copied.

use std::path::Path;

use crate::oci::RepositoryName;
use crate::store::{Bounds, FoundLayout, ImageLayout, find_layouts};

use super::take::{Source, Taken, take};
use super::{Error, Parts, view};

/// Takes in every layout in `folder` and below it, each as the repository that its path names below `into`; one in
/// `folder` itself is `into`. Nothing may serve `parts` meanwhile. Done
/// again after it broke off, it goes on; when it returns, all of it survives a power cut.
pub async fn import(parts: &Parts, folder: &Path, into: Option<&RepositoryName>) -> Result<Taken, Error> {
    let Some(layouts) = parts.store.layout() else {
        return Err(Error::Unavailable("expected a store that shows layouts, found one that does not".to_owned()));
    };
    let mut taken = Taken::default();
    let found = find_layouts(folder).map_err(|error| Error::Conflict(error.to_string()))?;
    if found.layouts.is_empty() && found.unreadable.is_empty() {
        let message = format!("expected an OCI image layout in {} or below, found none", folder.display());
        return Err(Error::Conflict(message));
    }
    taken.refuse_folders(&found.unreadable);
    for FoundLayout { name, folder } in found.layouts {
        let repository = match repository(&name, into) {
            Ok(repository) => repository,
            Err(why) => {
                taken.refuse(folder.display().to_string(), why);
                continue;
            }
        };
        match ImageLayout::open(&folder, bounds(parts)) {
            Ok(layout) => take(parts, layouts, (&layout, &repository), Source::Foreign, &mut taken).await?,
            Err(error) => taken.refuse(repository.as_str(), error.to_string()),
        }
    }
    view::flush(&*parts.store, &*parts.metadata).await?.refuse_in(&mut taken);
    parts.metadata.close().await?;
    Ok(taken)
}

pub(super) fn bounds(parts: &Parts) -> Bounds {
    let manifest_bytes = u64::try_from(parts.limits.manifest_bytes).unwrap_or(u64::MAX);
    Bounds { manifest_bytes, links: parts.limits.manifest_links, ..Bounds::default() }
}

fn repository(name: &str, into: Option<&RepositoryName>) -> Result<RepositoryName, String> {
    let full = match (name, into) {
        ("", None) => return Err("expected --into to name the repository that this layout becomes".to_owned()),
        ("", Some(into)) => return Ok(into.clone()),
        (name, None) => name.to_owned(),
        (name, Some(into)) => format!("{into}/{name}"),
    };
    full.parse().map_err(|error| format!("{error}; found {full:?}"))
}
