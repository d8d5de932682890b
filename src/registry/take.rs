//! A layout becomes a repository: blobs first, then manifests, children before their parents, each as at a push.

mod blob;
mod manifest;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::oci::{Descriptor, Digest, Manifest, RepositoryName, Tag, media_type};
use crate::store::{ImageLayout, LayoutError, LayoutView, ObjectKey, Read, UnreadableFolder, Visited};

use super::objects::Objects;
use super::{Error, Parts};

/// What came of taking layouts in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Repositories that were taken in, whole or in part.
    pub repositories: u64,
    /// Manifests that were stored, without those that were there.
    pub manifests: u64,
    /// Tags that were set.
    pub tags: u64,
    /// Blobs that were made part of a repository.
    pub blobs: u64,
    /// Blobs whose bytes were linked.
    pub linked: u64,
    /// Blobs whose bytes were copied, for they could not be linked.
    pub copied: u64,
    /// Blobs that nothing holds, and that were left out.
    pub unheld: u64,
    /// What could not be taken, by name, and why.
    pub refused: Vec<Refused>,
}

/// Something that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The repository or the folder, and what in it.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What a layout is taken for.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Anybody's: what nothing holds stays behind.
    Foreign,
    /// This registry's own, with the objects that lie in its store: everything comes along.
    Own(&'a Objects<'a>),
}

/// A blob whose bytes are an object, and that nothing names yet.
struct Adoption {
    digest: Digest,
    key: ObjectKey,
    size: u64,
    /// The live key in whose place it comes, for its bytes are lost.
    lost: Option<String>,
}

/// A manifest that waits for what it holds.
struct Waiting {
    digest: Digest,
    bytes: Bytes,
    manifest: Manifest,
    tags: Vec<Tag>,
}

/// One layout on its way into one repository.
struct Taking<'a> {
    parts: &'a Parts,
    view: &'a dyn LayoutView,
    layout: &'a ImageLayout,
    repository: &'a RepositoryName,
    source: Source<'a>,
    taken: &'a mut Taken,
    /// What the layout reaches as manifests.
    manifests: HashSet<Digest>,
    /// What was looked at as blobs.
    blobs: HashSet<Digest>,
    /// Those of them that no manifest of this repository was stored without.
    required: HashSet<Digest>,
    adopted: Vec<Adoption>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    now: Timestamp,
}

impl Taken {
    pub(super) fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { what: what.into(), why: why.into() });
    }

    /// Tells of folders in which nobody could look for layouts.
    pub(super) fn refuse_folders(&mut self, unreadable: &[UnreadableFolder]) {
        for UnreadableFolder { folder, error } in unreadable {
            self.refuse(folder.display().to_string(), error.to_string());
        }
    }
}

/// Takes `layout` in as `repository`. What can't be taken is told in `taken`; only what can't go on is an error.
pub(super) async fn take(
    parts: &Parts,
    view: &dyn LayoutView,
    (layout, repository): (&ImageLayout, &RepositoryName),
    source: Source<'_>,
    taken: &mut Taken,
) -> Result<(), Error> {
    let tags = tags(layout, repository, taken);
    let named: HashSet<Digest> = layout.entries().iter().map(|entry| entry.digest).collect();
    let mut order = Vec::new();
    let walked = layout.walk::<LayoutError>(|visited| {
        order.extend(readable(&named, repository, visited, taken));
        Ok(())
    });
    if let Err(error) = walked {
        taken.refuse(repository.as_str(), error.to_string());
        return Ok(());
    }
    taken.repositories = taken.repositories.saturating_add(1);
    let now = parts.clock.now();
    let manifests = order.iter().map(|descriptor| descriptor.digest).collect();
    let (blobs, adopted, waiting) = (HashSet::new(), Vec::new(), Vec::new());
    let mut taking = Taking {
        parts,
        view,
        layout,
        repository,
        source,
        taken,
        manifests,
        blobs,
        required: HashSet::new(),
        adopted,
        waiting,
        waiting_bytes: 0,
        now,
    };
    for descriptor in order {
        let tags = tags.get(&descriptor.digest).cloned().unwrap_or_default();
        taking.manifest(&descriptor, tags).await?;
        taking.settle_many().await?;
    }
    taking.rest().await?;
    taking.settle().await
}

/// The descriptor of a manifest that can be taken; what can't is told. Its bytes are read once more when it is stored:
/// all of them at once may be more than fits into memory.
fn readable(
    named: &HashSet<Digest>,
    repository: &RepositoryName,
    visited: Visited,
    taken: &mut Taken,
) -> Option<Descriptor> {
    let why = match visited.read {
        Ok(Some(Read { manifest: Ok(_), .. })) => return Some(visited.descriptor),
        Ok(Some(Read { manifest: Err(error), .. })) => error.to_string(),
        Err(error) => error.to_string(),
        // A child that a sparse index leaves out; but what index.json names should be there.
        Ok(None) if named.contains(&visited.descriptor.digest) => "expected a manifest, found none".to_owned(),
        Ok(None) => return None,
    };
    taken.refuse(format!("{repository}@{}", visited.descriptor.digest), why);
    None
}

/// The tags of each digest. A name that can't be a tag, and one that names two digests, is told.
fn tags(layout: &ImageLayout, repository: &RepositoryName, taken: &mut Taken) -> BTreeMap<Digest, Vec<Tag>> {
    let mut named: BTreeMap<&str, BTreeSet<Digest>> = BTreeMap::new();
    for entry in layout.entries() {
        if !media_type::is_manifest(&entry.media_type) {
            taken.refuse(
                format!("{repository}@{}", entry.digest),
                format!("expected a manifest or an index in index.json, found {:?}", entry.media_type),
            );
        } else if let Some(name) = entry.annotations.get(ImageLayout::REF_NAME) {
            named.entry(name).or_default().insert(entry.digest);
        }
    }
    let mut tags: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
    for (name, digests) in named {
        match (name.parse::<Tag>(), digests.first()) {
            (Ok(tag), Some(digest)) if digests.len() == 1 => tags.entry(*digest).or_default().push(tag),
            (Ok(_), _) => taken.refuse(
                format!("{repository}:{name}"),
                format!("expected one manifest of that name, found {}", digests.len()),
            ),
            (Err(error), _) => taken.refuse(format!("{repository}, name {name:?}"), error.to_string()),
        }
    }
    tags
}

impl Taking<'_> {
    fn refuse(&mut self, digest: &Digest, why: impl Into<String>) {
        self.taken.refuse(format!("{}@{digest}", self.repository), why);
    }
}
