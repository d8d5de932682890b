//! Which objects lie in the tree, counted from their files.

use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::path::{ALGORITHMS, QUARANTINE, Root, object_key};
use crate::oci::Digest;
use crate::store::layout_reader::ImageLayout;
use crate::store::{LayoutError, ObjectKey, StoreError};

/// The objects that are stored, by digest. It holds a digest and a number for each, so it grows with the store: it is
/// for what is done while nothing is served.
#[derive(Debug)]
pub struct Census {
    root: Arc<Root>,
    generations: HashMap<Digest, Vec<u64>>,
    quarantined: HashMap<Digest, Quarantined>,
    highest: u64,
    objects: u64,
}

/// The newest object of a digest in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Quarantined {
    generation: u64,
    size: u64,
}

/// An object that may be the content of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the layout's blob, where there is one, has as many.
    pub fits: bool,
}

impl Census {
    pub(super) fn take(root: Arc<Root>) -> io::Result<Self> {
        let generations = generations(&root)?;
        let quarantined = quarantined(&root)?;
        let held = quarantined.values().map(|it| it.generation);
        let highest = generations.values().flatten().copied().chain(held).max().unwrap_or_default();
        let objects = generations.values().map(|of| u64::try_from(of.len()).unwrap_or(u64::MAX)).sum();
        Ok(Self { root, generations, quarantined, highest, objects })
    }

    /// How many objects there are.
    pub const fn objects(&self) -> u64 {
        self.objects
    }

    /// The highest generation of any object, those in quarantine among them: one that is to be new must be above it.
    pub const fn highest_generation(&self) -> u64 {
        self.highest
    }

    /// Whether there is an object of that digest.
    pub fn has(&self, digest: &Digest) -> bool {
        self.generations.contains_key(digest)
    }

    /// The newest object of that digest that lies in quarantine, and its size in bytes.
    pub fn quarantined(&self, digest: &Digest) -> Option<(ObjectKey, u64)> {
        let Quarantined { generation, size } = self.quarantined.get(digest)?;
        Some((object_key(digest, *generation), *size))
    }

    /// The objects of that digest: first the one that the layout's blob is a link to, then the newest.
    pub fn candidates(&self, layout: &ImageLayout, digest: &Digest) -> Result<Vec<Candidate>, StoreError> {
        let shown = match layout.open_file(&layout.path(digest)) {
            Ok(file) => file.map(|file| file.metadata()).transpose()?,
            // It is read once more by whoever adopts it, and then told.
            Err(LayoutError::Unreadable { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        for generation in self.generations.get(digest).into_iter().flatten() {
            let key = object_key(digest, *generation);
            let Some(path) = self.root.object(&key) else { continue };
            let object = fs::symlink_metadata(&path)?;
            if !object.is_file() {
                continue;
            }
            let is_shown =
                shown.as_ref().is_some_and(|shown| (shown.dev(), shown.ino()) == (object.dev(), object.ino()));
            let fits = shown.as_ref().is_none_or(|shown| shown.len() == object.len());
            found.push(((is_shown, *generation), Candidate { key, size: object.len(), fits }));
        }
        found.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
        Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
    }
}

/// An object of the tree at `root`, if there is any. This blocks.
pub fn any_object(root: &Path) -> io::Result<Option<ObjectKey>> {
    let cas = Root::new(root.to_owned()).cas();
    for algorithm in ALGORITHMS {
        for shard in entries(&cas.join(algorithm.as_str()))? {
            for file in entries(&shard?.path())? {
                let name = file?.file_name();
                if let Some((digest, generation)) = name.to_str().and_then(|name| parts(algorithm.as_str(), name)) {
                    return Ok(Some(object_key(&digest, generation)));
                }
            }
        }
    }
    Ok(None)
}

/// The generations of every object of the tree.
pub(super) fn generations(root: &Root) -> io::Result<HashMap<Digest, Vec<u64>>> {
    let mut found: HashMap<Digest, Vec<u64>> = HashMap::new();
    for algorithm in ALGORITHMS {
        for shard in entries(&root.cas().join(algorithm.as_str()))? {
            for file in entries(&shard?.path())? {
                let name = file?.file_name();
                if let Some((digest, generation)) = name.to_str().and_then(|name| parts(algorithm.as_str(), name)) {
                    found.entry(digest).or_default().push(generation);
                }
            }
        }
    }
    Ok(found)
}

fn quarantined(root: &Root) -> io::Result<HashMap<Digest, Quarantined>> {
    let mut found: HashMap<Digest, Quarantined> = HashMap::new();
    for file in entries(&root.folder().join(QUARANTINE))? {
        let file = file?;
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        // The folder is one for all algorithms; the digests of each are of another length.
        let parts = ALGORITHMS.iter().find_map(|algorithm| parts(algorithm.as_str(), name));
        let Some((digest, generation)) = parts else { continue };
        let one = Quarantined { generation, size: file.metadata()?.len() };
        found.entry(digest).and_modify(|other| *other = one.max(*other)).or_insert(one);
    }
    Ok(found)
}

/// What is in the folder; one that is absent, or is no folder, has nothing in it.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
    match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None.into_iter().flatten())
        }
        entries => Ok(Some(entries?).into_iter().flatten()),
    }
}

/// The digest and the generation in an object's file name, if it is one that is made here.
fn parts(algorithm: &str, name: &str) -> Option<(Digest, u64)> {
    let (hex, generation) = name.split_once('.')?;
    let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
    let generation: u64 = generation.parse().ok()?;
    object_key(&digest, generation).0.ends_with(name).then_some((digest, generation))
}
